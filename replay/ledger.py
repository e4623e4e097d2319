"""What is tried again, alone or not at all: pure.

A shard whose process ended is a suspect, as an image is in the pool. Where several were in that
process each is, and goes alone from then on. At `ATTEMPTS` ends, the last of them alone, it is
quarantined. A node that goes away is no evidence against what it had in hand.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence

from replay.cut import Shard
from replay.shard import ATTEMPTS


class Ledger:
    """Hands out shards: first those that must go alone, then what came back, then new ones."""

    def __init__(self, shards: Iterator[Shard]) -> None:
        self._new = shards
        self._again: deque[Shard] = deque()
        self._suspects: deque[Shard] = deque()
        self._ends: Counter[str] = Counter()

    def next_alone(self) -> Shard | None:
        return self._suspects.popleft() if self._suspects else None

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects)

    @property
    def has_more(self) -> bool:
        """Beside what is new."""
        return bool(self._suspects or self._again)

    def next(self, *, again: bool = True) -> Shard | None:
        """None: nothing is left but what is under way, or, without `again`, what came back."""
        return self._again.popleft() if again and self._again else next(self._new, None)

    def ended(self, in_hand: Sequence[Shard]) -> list[Shard]:
        """The process that had these in hand ended; returns what is quarantined now."""
        quarantined = []
        for shard in in_hand:
            self._ends[shard.key] += 1
            if self._ends[shard.key] >= ATTEMPTS and len(in_hand) == 1:
                quarantined.append(shard)
            else:
                self._suspects.append(shard)
        return quarantined

    def came_back(self, shard: Shard) -> None:
        """Not by its own fault: its node is gone, or the store asked for a pause."""
        self._again.append(shard)
