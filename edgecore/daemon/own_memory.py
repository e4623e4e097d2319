"""What the core itself takes of the machine's memory: kept small, shown, and said when it grows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from contract.allocator import give_back

TRIM_EVERY_S = 60.0
"""A burst's memory is the machine's again after so long; a trim takes a few milliseconds."""
MOST_KB = 400 * 1024
"""About 80 MB at work, 128 of queues full of pictures, 32 of a history that is behind, 24 of small
pictures: everything that it remembers is bounded, and beyond this something is not."""


class OwnMemory:
    """``look`` every few seconds, in any thread."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        trim: Callable[[], None] = give_back,
        statm: Path = Path("/proc/self/statm"),
    ) -> None:
        self._clock, self._trim, self._statm = clock, trim, statm
        self._trimmed_at = clock()
        self.rss_kb = 0

    def look(self) -> None:
        if self._clock() - self._trimmed_at >= TRIM_EVERY_S:
            self._trim()
            self._trimmed_at = self._clock()
        try:
            pages = int(self._statm.read_text().split()[1])
        except OSError:  # no descriptor is left: the figure stays, and whoever looks goes on
            return
        self.rss_kb = pages * os.sysconf("SC_PAGE_SIZE") // 1024

    def findings(self) -> list[str]:
        if self.rss_kb <= MOST_KB:
            return []
        # Without the figure of the moment: each finding is logged once.
        return [
            f"the core's own process takes more than {MOST_KB // 1024} MB of memory, where all "
            "that it remembers is bounded to less: restart it when it suits, no image is lost, "
            "and report it with the core's log"
        ]
