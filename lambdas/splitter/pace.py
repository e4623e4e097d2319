"""How fast each worker is, and what that means for who gets the next images. Pure.

A worker that is slower than the others is useful in the middle of a backlog and in the way
at its end: an image that it takes last is waited for by the whole stream.
"""

from __future__ import annotations

import heapq
from typing import Any, Sequence, cast

# Of the newest batch: a worker that changes its speed is known after a few.
NEWEST = 0.3
# Below it workers count as equally fast, and who has least in hand comes first.
ALIKE = 1.5
# A batch is work for this long at most: longer ones save nothing and hold the order back.
BATCH_S = 1.0
# The end of a longer backlog is far.
MOST_SHARED = 5_000
# Of a time that is computed: no image is counted that would end with it only by rounding.
ROUNDING = 1e-9


class Pace:
    """Seconds per image of one worker, as its finished batches tell; None: not known yet."""

    __slots__ = ("_ended_at", "_images", "s_per_image")

    def __init__(self) -> None:
        self.s_per_image: float | None = None
        self._ended_at = float("-inf")
        self._images = 0

    def finished(self, images: int, sent_at: float, now: float) -> None:
        """A batch is committed; it had the worker since it was sent or the one before ended."""
        took_s = now - max(sent_at, self._ended_at)
        self._ended_at = now
        self._images += images
        if took_s <= 0:
            return  # with another one in the same step: counted with the next
        sample_s = took_s / self._images
        self._images = 0
        known_s = self.s_per_image
        self.s_per_image = sample_s if known_s is None else known_s + NEWEST * (sample_s - known_s)


def batch_of(pace_s: float | None, largest: int) -> int:
    """How many images a batch may have for a worker of this pace."""
    return largest if not pace_s else max(1, min(largest, int(BATCH_S / pace_s)))


def uneven(paces_s: Sequence[float | None]) -> bool:
    """Whether speeds are all known and not about the same: else nothing is to be gained."""
    if None in paces_s or 0.0 in paces_s:
        return False
    known_s = cast("Sequence[float]", paces_s)
    return max(known_s) >= ALIKE * min(known_s)


def near_end(loads: Sequence[tuple[int, Any]], waiting: int, window: int, largest: int) -> bool:
    """Whether the slowest worker, once it is filled, would be the last to be done.

    `loads`: per worker the images in hand and the seconds per image, all known.
    """
    if waiting > MOST_SHARED:
        return False
    paces_s = [pace_s for _, pace_s in loads]
    slowest_s = max(paces_s)
    held = sum([held for held, _ in loads])  # for every batch: no generators
    all_done_s = (waiting + held) / sum([1 / pace_s for pace_s in paces_s])
    return bool(all_done_s < window * batch_of(slowest_s, largest) * slowest_s)


def shares(loads: Sequence[tuple[int, Any]], waiting: int) -> list[int]:
    """How many of `waiting` images each worker gets if each goes where it is done soonest.

    `loads` as above, every speed known. Asked for every batch near the end of a backlog: so what
    is done before all would be done together is counted, and only the rest is dealt one by one.
    """
    sure_s = _together_s(loads, waiting) * (1 - ROUNDING)
    counts = [max(int(sure_s / pace_s) - held, 0) for held, pace_s in loads]
    ends = [
        ((held + count + 1) * pace_s, index)
        for index, ((held, pace_s), count) in enumerate(zip(loads, counts))
    ]
    heapq.heapify(ends)
    for _ in range(waiting - sum(counts)):
        end_s, index = ends[0]
        counts[index] += 1
        heapq.heapreplace(ends, (end_s + loads[index][1], index))
    return counts


def _together_s(loads: Sequence[tuple[int, Any]], waiting: int) -> float:
    """When all would be done, if images could be divided; who has more than that gets nothing."""
    shared = loads
    while True:
        per_s = sum([1 / pace_s for _, pace_s in shared])
        end_s: float = (waiting + sum([held for held, _ in shared])) / per_s
        left = [(held, pace_s) for held, pace_s in shared if held * pace_s < end_s]
        if len(left) in (0, len(shared)):
            return end_s
        shared = left
