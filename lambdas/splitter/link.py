"""Splitter and aggregator agree whose sequence numbers are meant.

A journal has an **epoch**. Before a new journal hands out its first number it asks the
aggregator (`sync`) for the highest number that it knows of each stream, and goes on after
it: a lost journal never makes a number mean two images. The aggregator, from then on,
refuses results of a stale epoch; every ack carries its epoch, at least once a second, and
the splitter answers another one than its own with a new `sync`.
"""

from __future__ import annotations

from contract import messages as m
from contract.timing import AGGREGATOR_ALIVE_S
from lambdas.splitter.journal import Journal

ASK_EVERY_S = 0.5


class Link:
    def __init__(self, journal: Journal, now: float) -> None:
        self._journal = journal
        self.ready = journal.synced
        self._agreed = False
        self._asked_at = now - ASK_EVERY_S
        self._heard_at = now - AGGREGATOR_ALIVE_S

    def heard(self, ack: m.Ack, now: float) -> bool:
        """Whether `ack` speaks of this journal's numbers."""
        self._agreed = ack.epoch == self._journal.epoch
        if not self._agreed:
            return False
        self._heard_at = now
        if not self.ready and ack.top is not None:
            self._journal.start_after(ack.top)
            self.ready = True
        return self.ready

    def alive(self, now: float) -> bool:
        return now - self._heard_at < AGGREGATOR_ALIVE_S

    def state(self, now: float) -> str:
        if not self.ready:
            return "asked"
        return "ready" if self.alive(now) else "silent"

    def due(self, done_topic: str, now: float) -> list[tuple[str, bytes]]:
        """The question, while it is open."""
        if (self.ready and self._agreed) or now - self._asked_at < ASK_EVERY_S:
            return []
        self._asked_at = now
        return [(done_topic, m.sync_message(self._journal.epoch))]
