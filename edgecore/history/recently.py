"""Which records were written lately, to know one that is sent again.

Kept as 64-bit hashes in 80 bytes each: as tuples of text the 20,000 were 7 MB of the core. Two of
that many records have one hash once in 10^11 times; the later one is then missing in the history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable


class Recently:
    """The newest ``most`` keys."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._order: deque[int] = deque()
        self._known: set[int] = set()

    def __contains__(self, key: Hashable) -> bool:
        return hash(key) in self._known

    def add(self, key: Hashable) -> bool:
        """False: it is among them already."""
        hashed = hash(key)
        if hashed in self._known:
            return False
        self._known.add(hashed)
        self._order.append(hashed)
        if len(self._order) > self._most:
            self._known.discard(self._order.popleft())
        return True

    def forget_newest(self, count: int) -> None:
        """What was added last was not written after all."""
        for _ in range(min(count, len(self._order))):
            self._known.discard(self._order.pop())
