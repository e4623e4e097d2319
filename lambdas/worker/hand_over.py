"""From the thread that decodes to the one that runs the network, several images in one go.

Each hand-over wakes a thread, and two that are awake take the interpreter from one another at
every system call: that costs more than reading a small file does. So what becomes ready within
`TOGETHER_S` goes over together. An image that takes longer to decode goes over at once.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from typing import Any, Callable

# Far below what a network takes for an image, and several times what a hand-over costs.
TOGETHER_S = 0.001


class HandOver:
    """One thread puts and flushes, one gets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = 0.0
        self._gathered: list[Any] = []
        # A `Queue`'s lock and conditions cost 4 µs more at each hand-over.
        self._groups: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._taken: deque[Any] = deque()
        self._put = self._got = 0

    @property
    def waiting(self) -> int:
        """How many have been put and not been got."""
        return self._put - self._got

    def put(self, ready: Any) -> None:
        """Give one thing; it has left at the next `flush` at the latest."""
        self._gathered.append(ready)
        self._put += 1
        now = self._clock()
        if now >= self._due:
            self._leave(now)

    def flush(self) -> None:
        """Nothing follows soon: let go of what there is."""
        if self._gathered:
            self._leave(self._clock())

    def _leave(self, now: float) -> None:
        gathered, self._gathered = self._gathered, []
        self._groups.put(gathered)
        self._due = now + TOGETHER_S

    def get(self) -> Any:
        """The next thing; waits for it."""
        if not self._taken:
            self._taken.extend(self._groups.get())
        return self._next()

    def get_nowait(self) -> Any:
        """As `get`, or `queue.Empty`."""
        if not self._taken:
            self._taken.extend(self._groups.get_nowait())
        return self._next()

    def _next(self) -> Any:
        self._got += 1
        return self._taken.popleft()
