"""Whose numbers are counted here: asked of the splitter at every start of either.

The splitter's side, and the story of both, is in `lambdas.splitter.link`.
"""

from __future__ import annotations

import os
from typing import Any, Iterable

from contract import messages as m
from lambdas.aggregator.reorder import Stream
from lambdas.aggregator.store import Store
from lambdas.common.log import get_logger

# Results that come before the splitter has told its numbers; more are sent again.
EARLY_MESSAGES = 2_000
ASK_AGAIN_S = 10.0

_log = get_logger("aggregator")


class Agreement:
    def __init__(self, store: Store, streams: dict[str, Stream], now: float) -> None:
        self._store = store
        self._streams = streams
        # Of this process: results are taken only once the splitter has told its numbers.
        self.incarnation = _new_incarnation()
        self.reached = False
        #: The splitter's start that asked last; "": it did not say.
        self.run = ""
        self._asked_again_at = now - ASK_AGAIN_S
        self._early: list[m.Done] = []
        self._asked: dict[str, dict[str, int]] = {}
        #: Records that the splitter saw committed and this store does not have.
        self.store_behind = 0

    def park(self, done: m.Done) -> None:
        """Results before there is an agreement."""
        if len(self._early) < EARLY_MESSAGES:
            self._early.append(done)

    def agree(self, asked: m.Done, cameras: Iterable[str]) -> list[m.Done]:
        """The splitter says whose numbers these are; returns what waited for it.

        What it saw committed and is not here was recorded by a store that is lost since: it is
        never recorded a second time.
        """
        behind: dict[str, int] = {}
        epoch, numbers = str(asked.sync), asked.numbers
        if self._store.adopt(epoch):
            for name, (upto, ranges) in (numbers or {}).items():
                unknown = self._pass_over(name, upto, ranges)
                if unknown:
                    behind[name] = unknown
            firsts = {name: self._first(name, numbers) for name in (*cameras, *self._streams)}
            self.run = asked.run
            self._store.begin_run(asked.run or epoch, firsts, asked.runs or {})
            self.reached = True
        if behind:
            self.store_behind += sum(behind.values())
            _log.error(
                "this store is older than the splitter's journal: records that it does not have, "
                "per stream: %s; a new epoch begins", behind,
            )  # fmt: skip
        self._asked[epoch] = behind
        early, self._early = self._early, []
        return early if self.reached else []

    def _pass_over(self, name: str, upto: int, ranges: Any) -> int:
        stream = self._streams.setdefault(name, Stream())
        unknown, closed = stream.pass_over(ranges, upto)
        for seq in closed:
            self._store.ungap(name, seq)
        if stream.next is not None:
            self._store.stream_at(name, stream.next)
        return unknown

    def _first(self, name: str, numbers: Any) -> int:
        """The number that the splitter will give next, once it has heard of our `top`."""
        next_seq, _ = (numbers or {}).get(name, (1, []))
        stream = self._streams.get(name)
        return max(int(next_seq), stream.top + 1 if stream else 1)

    def again(self, now: float) -> None:
        """Numbers that this store cannot place: ask for the splitter's word, as after a start."""
        if now - self._asked_again_at >= ASK_AGAIN_S:
            self._asked_again_at = now
            self.reached = False
            self.incarnation = _new_incarnation()

    def take_asked(self) -> dict[str, dict[str, int]]:
        """Epochs whose question is to be answered, each with what this store is behind."""
        asked, self._asked = self._asked, {}
        return asked


def _new_incarnation() -> str:
    return os.urandom(4).hex()
