"""The driver: hands shards to an engine until every one is written. Its memory is flat."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from replay.cut import Shard
from replay.engines.engine import CameBack, Done, Ended, Engine, Event, Notice, Unable
from replay.ledger import Ledger
from replay.plan import Replay
from replay.shard import Outcome, quarantined

WAIT_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
#: So many failures in a row end a replay, once every place has failed; more where some can do it.
UNABLE_TO_GIVE_UP, UNABLE_WHERE_SOME_CAN = 3, 100


class Progress(Protocol):
    """What a person watches."""

    def progress(self, tally: Tally) -> None: ...

    def warn(self, message: str) -> None: ...


@dataclass
class Tally:
    """What has become of the shards so far. `found`: images whose shard was there before."""

    images: int = 0
    found: int = 0
    shards: int = 0
    quarantined: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    #: Node of a cluster → shards that it wrote in this run.
    nodes: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def images_per_s(self) -> float:
        """Of what was worked on in this run."""
        return (self.images - self.found) / max(self.seconds, 1e-9)

    def add(self, outcome: Outcome) -> None:
        self.images += outcome.images
        self.shards += 1
        self.found += 0 if outcome.written else outcome.images
        self.failed.update(outcome.failed)
        if outcome.where and outcome.written:
            self.nodes[outcome.where] += 1


class Driver:
    def __init__(
        self,
        replay: Replay,
        engine: Engine,
        progress: Progress,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._replay, self._engine, self._progress = replay, engine, progress
        self._ledger = Ledger(iter(replay.plan))
        self._in_hand = 0
        self._alone = False
        #: Where shards failed one after the other, without one that was done between.
        self._unable: list[str] = []
        self._first_pause_s = self._pause_s = first_pause_s
        self._again_at = 0.0
        self.tally = Tally()

    def run(self) -> Tally:
        """Returns when every shard of the plan is written. Raises `ReplayError`."""
        try:
            while self._fill():
                for event in self._engine.wait(WAIT_S):
                    self._handle(event)
                self._progress.progress(self.tally)
        finally:
            self._engine.stop()
        return self.tally

    def _fill(self) -> bool:
        """Give out what the engine takes; False when nothing is under way or left."""
        if not self._engine.isolates and (self._alone or self._ledger.has_suspects):
            if self._in_hand == 0:
                self._alone = self._give(self._ledger.next_alone())
            if self._in_hand:
                return True
        for _ in range(max(0, self._engine.room())):
            if not self._give(self._ledger.next_alone() or self._next()):
                break
        return self._in_hand > 0 or self._ledger.has_more

    def _next(self) -> Shard | None:
        """What came back rests for a while, and nothing else waits for it."""
        return self._ledger.next(again=time.monotonic() >= self._again_at)

    def _give(self, shard: Shard | None) -> bool:
        if shard is None:
            return False
        self._engine.submit(shard)
        self._in_hand += 1
        return True

    def _handle(self, event: Event) -> None:
        match event:
            case Done(outcome):
                self._in_hand -= 1
                self._pause_s = self._first_pause_s
                if outcome.written:
                    self._unable.clear()
                self.tally.add(outcome)
            case Ended(shards, how):
                self._in_hand -= len(shards)
                self._progress.warn(f"a process ended ({how}) with {', '.join(map(_name, shards))}")
                for shard in self._ledger.ended(shards):
                    self._quarantine(shard)
            case CameBack(shard, why):
                self._come_back(shard, why)
            case Unable(shard, where, error):
                self._unable.append(where)
                if self._is_hopeless():
                    raise error
                self._come_back(shard, str(error))
            case Notice(message):
                self._progress.warn(message)

    def _is_hopeless(self) -> bool:
        """A node that fails at once fails before the others have done a shard."""
        if self.tally.images > self.tally.found:
            return len(self._unable) >= UNABLE_WHERE_SOME_CAN
        everywhere = len(set(self._unable)) >= self._engine.places
        return everywhere and len(self._unable) >= UNABLE_TO_GIVE_UP

    def _come_back(self, shard: Shard, why: str) -> None:
        self._in_hand -= 1
        self._progress.warn(f"{_name(shard)} is tried again: {why}")
        self._ledger.came_back(shard)
        self._again_at = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def _quarantine(self, shard: Shard) -> None:
        quarantined(shard, self._replay.model, self._replay.store)
        self.tally.quarantined.append(_name(shard))
        failed = {"killed_workers": len(shard.names)}
        self.tally.add(Outcome(shard.key, len(shard.names), failed, True))
        self._progress.warn(f"{_name(shard)} is quarantined: it ended three processes")


def _name(shard: Shard) -> str:
    return f"shard {shard.stream} {shard.first}-{shard.last}"
