"""Hill climbs over a grid of settings; pure but for the `measure` they are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

Point = tuple[int, ...]
#: (images per second, p99 of latency in ms)
Measured = tuple[float, float]
Axes = Sequence[Sequence[int]]
_Score = tuple[bool, float]


@dataclass(frozen=True)
class Found:
    """The best point that meets the latency target, None where none of those tried does."""

    best: Point | None
    tried: dict[Point, Measured]

    def finalists(self, most: int, latency_ms: float) -> list[Point]:
        """The fastest points that meet the target, best first, to be measured again."""
        allowed = [p for p, (_, latency) in self.tried.items() if latency <= latency_ms]
        return sorted(allowed, key=lambda point: -self.tried[point][0])[:most]


def search(
    axes: Axes, measure: Callable[[Point], Measured], latency_ms: float = float("inf")
) -> Found:
    """Climb from the lowest point, and from the middle and the far ends of the first two axes.

    The first two axes are workers and threads: they share the cores, so between "many workers of
    one thread" and "one worker of many threads" lies a ridge that a climb along single axes does
    not cross under a latency target. Each point is measured once.
    """
    lowest = tuple(values[0] for values in axes)
    middle = tuple(values[len(values) // 2 - (len(values) > 1)] for values in axes[:2])
    starts = [lowest, (*middle, *lowest[2:])]
    for axis in range(min(2, len(axes))):
        starts.append((*lowest[:axis], axes[axis][-1], *lowest[axis + 1 :]))
    climber = _Climber(axes, measure, latency_ms)
    ends = [climber.climb(start) for start in dict.fromkeys(starts)]
    best = max(ends, key=climber.score)
    return Found(best if climber.score(best)[0] else None, climber.tried)


class _Climber:
    """Coordinate descent that remembers what it has measured."""

    def __init__(self, axes: Axes, measure: Callable[[Point], Measured], latency_ms: float) -> None:
        self._axes, self._measure, self._latency_ms = axes, measure, latency_ms
        self.tried: dict[Point, Measured] = {}

    def score(self, point: Point) -> _Score:
        """A point over the latency target is worse than any that meets it; among those the lower
        latency is better, so that the climb finds its way back into the allowed region."""
        if point not in self.tried:
            self.tried[point] = self._measure(point)
        rate, latency = self.tried[point]
        allowed = latency <= self._latency_ms
        return allowed, rate if allowed else -latency

    def climb(self, best: Point) -> Point:
        """Scan one axis at a time from the best point until nothing improves."""
        moved = True
        while moved:
            moved = False
            for line in self._lines(best):
                top = max(line, key=self.score, default=best)
                if self.score(top) > self.score(best):
                    best, moved = top, True
                    break
        return best

    def _lines(self, point: Point) -> list[list[Point]]:
        """Each axis through `point`, then the steps that trade one axis for another."""
        lines = [
            [(*point[:axis], value, *point[axis + 1 :]) for value in values]
            for axis, values in enumerate(self._axes)
        ]
        return [*lines, _diagonal(self._axes, point)]


def _diagonal(axes: Axes, point: Point) -> list[Point]:
    """Points one step away on two axes in opposite directions.

    Under a latency target axes trade off: a smaller batch pays for a wider window.
    """
    found = []
    for up, down in permutations(range(len(axes)), 2):
        higher = axes[up].index(point[up]) + 1
        lower = axes[down].index(point[down]) - 1
        if higher < len(axes[up]) and lower >= 0:
            moved = list(point)
            moved[up], moved[down] = axes[up][higher], axes[down][lower]
            found.append(tuple(moved))
    return found
