"""After damage to the journal: which accepted images are gone, and a record for each.

The damaged pages cannot say what they held. But every number below the stream's next was
given out, and the aggregator's low watermark is where all have their record: what lies
between and is not in the backlog is done already, which the aggregator answers as a duplicate, or
lost.
"""

from __future__ import annotations

from typing import Mapping

from lambdas.common.log import get_logger
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.journal import Journal
from lambdas.splitter.tables import JournalFullError
from lambdas.splitter.terminal import TerminalRecords, terminal_status

_log = get_logger("splitter")


class Losses:
    """Made when the backlog is loaded, before any new image has a number."""

    def __init__(self, journal: Journal, backlog: Backlog, terminals: TerminalRecords) -> None:
        self._journal = journal
        self._backlog = backlog
        self._terminals = terminals
        damaged = journal.notes.unsettled
        self._next = {s: journal.next_seq(s) for s in journal.streams()} if damaged else {}

    def heard(self, low_watermarks: Mapping[str, int]) -> None:
        """The aggregator's low watermarks of these streams; each is settled once."""
        for stream in [s for s in self._next if s in low_watermarks]:
            numbers = [
                seq
                for seq in range(low_watermarks[stream] + 1, self._next[stream])
                if self._backlog.get(stream, seq) is None
            ]
            try:
                self._record(stream, numbers)
            except JournalFullError as error:
                _log.error("no room to record what %s has lost: %s", stream, error)
                return
            del self._next[stream]
            if not self._next:
                self._journal.notes.settled()

    def _record(self, stream: str, numbers: list[int]) -> None:
        if not numbers:
            return
        detail = "the journal's file was damaged"
        terminal = terminal_status("dropped", "journal_lost", detail)
        items = [{"stream": stream, "seq": seq} for seq in numbers]
        self._journal.add_terminal(items, terminal)
        images = [Image(item, terminal) for item in items]
        self._backlog.add_earlier(images)
        for image in images:
            self._terminals.add(image)
        _log.error(
            "%s: %d images from %d to %d have neither journal entry nor record: journal_lost",
            stream,
            len(numbers),
            numbers[0],
            numbers[-1],
        )
