"""After damage to the journal: which accepted images are gone, and a record for each.

The damaged pages cannot say what they held. But every number below the stream's next was
given out, and the aggregator tells up to where all have their record: what lies between
and is not in the backlog is done already, which the aggregator answers as a duplicate, or
lost.
"""

from __future__ import annotations

from typing import Mapping

from lambdas.common.log import get_logger
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.journal import Journal, JournalFullError
from lambdas.splitter.verdicts import Verdicts, verdict

_log = get_logger("splitter")


class Losses:
    """Made when the backlog is loaded, before any new image has a number."""

    def __init__(self, journal: Journal, backlog: Backlog, verdicts: Verdicts) -> None:
        self._journal = journal
        self._backlog = backlog
        self._verdicts = verdicts
        damaged = journal.salvage is not None
        self._next = {s: journal.next_seq(s) for s in journal.streams()} if damaged else {}

    def heard(self, floors: Mapping[str, int]) -> None:
        """The aggregator's word on these streams; each is settled once."""
        for stream in [s for s in self._next if s in floors]:
            numbers = [
                seq
                for seq in range(floors[stream] + 1, self._next[stream])
                if self._backlog.get(stream, seq) is None
            ]
            try:
                self._tell(stream, numbers)
            except JournalFullError as error:
                _log.error("no room to record what %s has lost: %s", stream, error)
                return
            del self._next[stream]

    def _tell(self, stream: str, numbers: list[int]) -> None:
        if not numbers:
            return
        detail = "the journal's file was damaged"
        judgement = verdict("dropped", "journal_lost", detail)
        items = [{"stream": stream, "seq": seq} for seq in numbers]
        self._journal.add_judged(items, judgement)
        images = [Image(item, judgement) for item in items]
        self._backlog.add_earlier(images)
        for image in images:
            self._verdicts.add(image)
        _log.error(
            "%s: %d images from %d to %d have neither journal entry nor record: journal_lost",
            stream,
            len(numbers),
            numbers[0],
            numbers[-1],
        )
