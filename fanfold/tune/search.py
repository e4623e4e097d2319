"""Hill climb over workers × threads × batch × window; pure but for the `measure` it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

Point = tuple[int, ...]
#: (images per second, p99 of latency in ms)
Measured = tuple[float, float]


@dataclass(frozen=True)
class Found:
    """The best point that meets the latency target, None where none of those tried does."""

    best: Point | None
    tried: dict[Point, Measured]


def climb(
    axes: Sequence[Sequence[int]],
    start: Point,
    measure: Callable[[Point], Measured],
    latency_ms: float = float("inf"),
) -> Found:
    """Coordinate descent: scan one axis at a time from the best point until nothing improves.

    `start` is a point of `axes`. Exact where the axes do not interact; each point is measured
    once. A point over the latency target is worse than any that meets it, and among those the
    lower latency is better, so the search finds its way back into the allowed region.
    """
    tried: dict[Point, Measured] = {}

    def score(point: Point) -> tuple[bool, float]:
        if point not in tried:
            tried[point] = measure(point)
        rate, latency = tried[point]
        allowed = latency <= latency_ms
        return allowed, rate if allowed else -latency

    best, moved = start, True
    while moved:
        moved = False
        for axis, values in enumerate(axes):
            line = [(*best[:axis], value, *best[axis + 1 :]) for value in values]
            top = max(line, key=score)
            if score(top) > score(best):
                best, moved = top, True
        if not moved:
            # Under a latency target axes trade off: a smaller batch pays for a wider window.
            top = max(_diagonal(axes, best), key=score, default=best)
            if score(top) > score(best):
                best, moved = top, True
    return Found(best if score(best)[0] else None, tried)


def _diagonal(axes: Sequence[Sequence[int]], point: Point) -> list[Point]:
    """Points one step away on two axes in opposite directions."""
    found = []
    for up, down in permutations(range(len(axes)), 2):
        higher = axes[up].index(point[up]) + 1
        lower = axes[down].index(point[down]) - 1
        if higher < len(axes[up]) and lower >= 0:
            moved = list(point)
            moved[up], moved[down] = axes[up][higher], axes[down][lower]
            found.append(tuple(moved))
    return found
