"""Once at start, when the images volume is there and both sides have agreed: what lies in custody
and is not in the journal, and what only the volume knows of numbers."""

from __future__ import annotations

from typing import Mapping

from contract import messages as m
from lambdas.common.log import Throttle, get_logger
from lambdas.common.settings import SplitterSettings
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.custody import Custody
from lambdas.splitter.journal import Journal
from lambdas.splitter.link import Link
from lambdas.splitter.tables import JournalFullError
from lambdas.splitter.terminal import TerminalRecords, terminal_status
from lambdas.splitter.witness import FURTHEST, Witness

# A path and its part of the JSON.
MAX_IN_A_MANIFEST = m.MAX_MESSAGE_BYTES // 4
DETAIL = "accepted after the backup that journal and store were put back from"

_log = get_logger("splitter")


class Leftovers:
    def __init__(  # noqa: PLR0913 - the parts, each named
        self,
        *,
        settings: SplitterSettings,
        journal: Journal,
        backlog: Backlog,
        custody: Custody,
        link: Link,
        terminals: TerminalRecords,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._backlog = backlog
        self._custody = custody
        self._link = link
        self._terminals = terminals
        self._is_new = not journal.synced
        self._witness = Witness(settings.images_dir, journal.notes.identity)
        self._throttle = Throttle(10.0)
        self._looked = False
        #: Numbers that were given after the backup of journal and store, and those among them
        #: whose image still lay in custody: it had no record (or came inside a message, and lay
        #: there for the dashboard).
        self.after_backup = 0
        self.without_record = 0

    def look(self) -> None:
        """Tried again at the next step where the disk does not let it."""
        if self._looked:
            return
        wanted = {image.own for image in self._backlog}
        lost = self._link.lost
        if lost is None and self._is_new:  # what lies there was another journal's
            lost = {}
        try:
            strange = lost is None and self._witness.is_of_another()
            if lost is not None:
                self._pass_over_lost(wanted, lost)
            elif strange:  # its images are not ours to remove, its numbers not ours to pass over
                lost = {}
                self._custody.removals.bring_back({name for name in wanted if name})
            own = self._journal.committed()
            if not self._is_new and (beyond := self._witness.beyond(own)):
                lost = {**own, **(lost or {})}
                self._restored(wanted, beyond)
            self._custody.removals.sweep(wanted, lost)
            if strange and self._custody.removals.kept_lost:
                _log.error(
                    "%s was last used with another journal: if another site's state volume is "
                    "mounted here, stop the core and mount this site's own",
                    self._settings.images_dir,
                )
        except (OSError, JournalFullError) as error:
            if self._throttle.due("look") is not None:
                _log.warning("left-over files are not looked for: %s", error)
            return
        self._looked = True

    def report(self, now: float) -> None:
        """The volume sees how far the numbers are."""
        if self._looked and self._witness.due(now):  # at every commit, and streams may be many
            self._witness.record(self._journal.committed(), now)

    def describe(self) -> dict[str, int]:
        """For the stats."""
        return {"after_backup": self.after_backup, "without_record": self.without_record}

    def _pass_over_lost(self, wanted: set[str], lost: Mapping[str, int]) -> None:
        """Numbers that a lost journal gave last, of which nobody else may have heard: their images
        lie in custody. The next one begins above them, so they end as journal_lost. Without a
        record are at most twice the backlog (dropped ones count apart) and one manifest more."""
        limits = {
            name: self._journal.next_seq(name) + 2 * self._settings.max_backlog + MAX_IN_A_MANIFEST
            for name in self._settings.cameras
        }
        highest = self._custody.removals.lost_up_to(wanted, lost, limits)
        if highest:
            self._journal.start_after(highest)

    def _restored(self, wanted: set[str], beyond: Mapping[str, tuple[int, int]]) -> None:
        """Journal and store are of one backup, the volume saw later numbers. They are not given
        again. An image that still lies in custody had no record: it gets one, under its number.
        The others had theirs, which may have left or not."""
        for stream, (first, seen) in beyond.items():
            numbers = self._custody.removals.numbers(stream, first, first + FURTHEST, wanted)
            upto = max([seen, *(number + 1 for number in numbers[-1:])])  # it is told now and then
            terminal = terminal_status("dropped", "journal_lost", DETAIL)
            items = [{"stream": stream, "seq": seq} for seq in numbers]
            self._journal.add_terminal(items, terminal)
            known = {seq for seq in numbers if self._backlog.get(stream, seq) is not None}
            images = [Image(item, terminal) for item in items if item["seq"] not in known]
            if images:
                self._backlog.add_earlier(images)
            for image in images:
                self._terminals.add(image)
            self._journal.start_after({stream: upto - 1})
            self.after_backup += upto - first
            self.without_record += len(numbers)
            _log.error(
                "%s: journal and store were put back from a backup: the images volume saw numbers "
                "up to %d, they know those below %d. %d of these images still lay in custody and "
                "end as journal_lost; the others had their record, which may have left or not",
                stream, upto - 1, first, len(numbers),
            )  # fmt: skip
        self._link.ask()
