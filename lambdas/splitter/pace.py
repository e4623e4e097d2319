"""How fast each worker is, and what that means for who gets the next images. Pure.

A worker that is slower than the others is useful in the middle of a backlog and in the way
at its end: an image that it takes last is waited for by the whole stream.
"""

from __future__ import annotations

import heapq
from typing import Any, Sequence

# Of the newest batch: a worker that changes its speed is known after a few.
NEWEST = 0.3
# Below it workers count as equally fast, and who has least in hand comes first.
ALIKE = 1.5
# A batch is work for this long at most: longer ones save nothing and hold the order back.
BATCH_S = 1.0
# Dealing out a longer backlog one by one would take milliseconds, and its end is far.
MOST_SHARED = 5_000


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


def near_end(
    loads: Sequence[tuple[int, float | None]], waiting: int, window: int, largest: int
) -> bool:
    """Whether the slowest worker, once it is filled, would be the last to be done.

    False as well where speeds are about the same or not all known: nothing is to be gained.
    `loads`: per worker the images in hand and the seconds per image.
    """
    if waiting > MOST_SHARED:
        return False
    paces_s = [pace_s for _, pace_s in loads if pace_s]
    if len(paces_s) < len(loads) or not paces_s:
        return False
    slowest_s = max(paces_s)
    if slowest_s < ALIKE * min(paces_s):
        return False
    held = sum([held for held, _ in loads])  # for every batch: no generators
    all_done_s = (waiting + held) / sum([1 / pace_s for pace_s in paces_s])
    return all_done_s < window * batch_of(slowest_s, largest) * slowest_s


def shares(loads: Sequence[tuple[int, Any]], waiting: int) -> list[int]:
    """How many of `waiting` images each worker gets if each goes where it is done soonest.

    `loads` as above, every speed known.
    """
    counts = [0] * len(loads)
    ends = [((held + 1) * pace_s, index) for index, (held, pace_s) in enumerate(loads)]
    heapq.heapify(ends)
    for _ in range(waiting):
        end_s, index = ends[0]
        counts[index] += 1
        heapq.heapreplace(ends, (end_s + loads[index][1], index))
    return counts
