"""The core's whole status for those who look regularly: made once for all of them.

Page, evidence, health report and history look once or twice a second each, and it costs a
millisecond of many small reads: of a core that does nothing that was half of what it used.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from contract.status import Status

MAX_AGE_S = 0.4
"""Less than the page's interval, so that the page's look is always a new one."""


class Glance:
    """Call it as ``look``; ``forget`` where what was seen describes nothing any more."""

    def __init__(
        self, look: Callable[[], Status], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look, self._clock = look, clock
        self._seen: Status | None = None
        self._seen_at = 0.0

    def __call__(self) -> Status:
        now = self._clock()
        if self._seen is None or now - self._seen_at > MAX_AGE_S:
            self._seen, self._seen_at = self._look(), now
        return self._seen

    def forget(self) -> None:
        """Another group runs."""
        self._seen = None
