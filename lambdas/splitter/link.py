"""Splitter and aggregator agree whose sequence numbers are meant, at every start of either.

A journal has an **epoch**. The splitter asks (`sync`) and says which numbers it has given and
which of them have no record yet; the aggregator answers with the highest that it knows. Who
is behind, because an older copy of its file came back or the newest part of it is lost, is
told so, and a new epoch begins above everything that either knows: a number never means
two images. The aggregator refuses results of older epochs and of nobody before it was asked;
it tells its epoch and its incarnation in every ack, at least once a second, and the splitter
answers a new one, or a stale epoch, with a `sync`.
"""

from __future__ import annotations

from typing import Any, Callable

from contract import messages as m
from contract.timing import AGGREGATOR_ALIVE_S
from lambdas.common.log import get_logger
from lambdas.splitter.journal import Journal

ASK_EVERY_S = 0.5

_log = get_logger("splitter")

Numbers = Callable[[], "dict[str, tuple[int, list[list[int]]]] | None"]


class Link:
    def __init__(
        self, journal: Journal, numbers: Numbers, began: Callable[[], bool], now: float
    ) -> None:
        """`numbers`: what the splitter says of itself with each question. `began`: called when
        both have agreed, before a number is given; False: not now."""
        self._journal = journal
        self._began = began
        self._numbers = numbers
        self.ready = False
        self._incarnation = ""
        self._asked_at = now - ASK_EVERY_S
        self._heard_at = now - AGGREGATOR_ALIVE_S
        #: Since this start: numbers that only the aggregator knew, records that it had lost.
        self.journal_behind = 0
        self.store_behind = 0
        #: Where the journal turned out to be behind: the numbers that it would have given next.
        self.lost: dict[str, int] | None = None

    def heard(self, ack: m.Ack, now: float) -> bool:
        """Whether `ack` speaks of this journal's numbers, and both sides have agreed."""
        answer = ack.answers == self._journal.epoch
        if ack.top is not None and (answer or ack.epoch == self._journal.epoch):
            self._answered(ack, now)
        elif not (ack.epoch or ack.incarnation):
            return False
        elif ack.epoch != self._journal.epoch or ack.incarnation != self._incarnation:
            # Another epoch rules there, or a process that has not heard of our numbers.
            self.ready = False
            return False
        if self.ready:
            self._heard_at = now
        return self.ready

    def _answered(self, ack: m.Ack, now: float) -> None:
        top = ack.top or {}
        ahead = {
            stream: (self._journal.next_seq(stream), seq)
            for stream, seq in top.items()
            if seq >= self._journal.next_seq(stream)
        }
        if ahead and self.lost is None:
            self.lost = {name: self._journal.next_seq(name) for name in self._journal.streams()}
        stale = ack.epoch != self._journal.epoch
        if stale or (self._journal.synced and (ahead or ack.behind)):
            self._renew(top, ahead, ack)
            self._asked_at = now - ASK_EVERY_S
            self.ready = False
            return
        self._journal.start_after(top)
        if not self._began():
            return
        self._incarnation = ack.incarnation
        self.ready = True

    def _renew(self, top: dict[str, int], ahead: dict[str, tuple[int, int]], ack: m.Ack) -> None:
        was = self._journal.epoch
        self._journal.renew(top)
        for stream, (next_seq, known) in ahead.items():
            self.journal_behind += known - next_seq + 1
            _log.error(
                "%s: the journal is older than the aggregator's store: it would give number %d, "
                "the store knows %d. What was accepted in between and has no record ends as "
                "journal_lost",
                stream, next_seq, known,
            )  # fmt: skip
        for stream, count in (ack.behind or {}).items():
            self.store_behind += count
            _log.error(
                "%s: the aggregator's store is older than the journal: %d records were committed "
                "that it does not have; they are not made again",
                stream, count,
            )  # fmt: skip
        _log.error("epoch %s ends, %s begins above every known number", was, self._journal.epoch)

    def ask(self) -> None:
        """The numbers of this side are others than it has told: both agree anew."""
        self.ready = False
        self._asked_at = float("-inf")

    def alive(self, now: float) -> bool:
        return self.ready and now - self._heard_at < AGGREGATOR_ALIVE_S

    def state(self, now: float) -> str:
        if not self.ready:
            return "asked"
        return "ready" if self.alive(now) else "silent"

    def describe(self) -> dict[str, Any]:
        """For the stats: what the agreements since this start have shown."""
        return {
            "epoch": self._journal.epoch,
            "journal_behind": self.journal_behind,
            "store_behind": self.store_behind,
        }

    def due(self, done_topic: str, now: float) -> list[tuple[str, bytes]]:
        """The question, while it is open."""
        if self.ready or now - self._asked_at < ASK_EVERY_S:
            return []
        self._asked_at = now
        journal = self._journal
        runs = journal.runs.known
        return [(done_topic, m.sync_message(journal.epoch, self._numbers(), journal.run, runs))]
