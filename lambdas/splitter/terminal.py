"""Terminal records that the splitter writes itself: dropped by a quota, quarantined.

They go the way of results, to the aggregator, until it has acknowledged them.
"""

from __future__ import annotations

import json

from contract import messages as m
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.journal import Journal

FIRST_AGAIN_S = 2.0
LONGEST_AGAIN_S = 60.0
PER_STEP = 256


def terminal_status(status: str, reason: str, detail: str = "") -> str:
    """What the journal keeps of such a record; the rest is the item."""
    return m.dumps({"status": status, "reason": reason, "detail": detail})


class TerminalRecords:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: dict[tuple[str, int], tuple[Image, float, float]] = {}
        self._sent = 0

    def add(self, image: Image) -> None:
        """Send the terminal record of an image whose journal entry has its status."""
        self._open[image.stream, image.seq] = (image, float("-inf"), FIRST_AGAIN_S)

    def terminated(self, image: Image) -> None:
        """Like `add`, for a terminal status that is new: the journal keeps it."""
        self._journal.terminate(image.stream, image.seq, str(image.terminal))
        self.add(image)

    def closed(self, image: Image) -> None:
        self._open.pop((image.stream, image.seq), None)

    def __len__(self) -> int:
        return len(self._open)

    def due(self, done_topic: str, backlog: Backlog, now: float) -> list[tuple[str, bytes]]:
        """Messages to send now; each record again after a wait that doubles."""
        results: list[m.Record] = []
        for key, (image, at, wait_s) in list(self._open.items()):
            if len(results) >= PER_STEP:
                break
            if at <= now:
                self._open[key] = (image, now + wait_s, min(wait_s * 2, LONGEST_AGAIN_S))
                item = dict(image.item, low=backlog.low(image.stream))
                results.append(dict(item, **json.loads(str(image.terminal))))
        if not results:
            return []
        self._sent += 1
        batch = f"s-{self._journal.epoch}-{self._journal.run}-{self._sent:06d}"
        sent = m.done_messages(batch, m.SPLITTER_WORKER, "-", None, results)
        return [(done_topic, payload) for payload in sent]
