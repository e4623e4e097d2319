"""Time series in the core's memory: one point a second for 10 minutes, one in 10 s for 6 hours.

Fixed columns in fixed rings, so a core that is up for a year holds what it held after a day
(2,760 points of 23 numbers, about half a megabyte).
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from edgecore.dashboard.quantiles import Durations

STAGES = ("queue", "read", "transform", "inference", "order")
COUNTS = ("ok", "failed", "dropped", "gaps")
"""Shown as a rate per second."""
GAUGES = ("backlog", "inflight", "held", "router", "spooled")
TIMED = ("total", *STAGES)
COLUMNS = (*COUNTS, *GAUGES, *(f"{s}_p50" for s in TIMED), *(f"{s}_p99" for s in TIMED))

FINE_S, FINE_POINTS = 1, 600
COARSE_S, COARSE_POINTS = 10, 2160

Point = list[float | None]


class Ring:
    """The last ``capacity`` points; a point is a time and one number per column."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._width = len(COLUMNS) + 1
        self._cells = array("d", [math.nan]) * (capacity * self._width)
        self._written = 0

    def append(self, t: float, row: list[float]) -> None:
        start = (self._written % self._capacity) * self._width
        self._cells[start : start + self._width] = array("d", [t, *row])
        self._written += 1

    def points(self, after: float = -math.inf) -> list[Point]:
        """Points newer than ``after`` in order of time; what was not measured is None."""
        first = max(0, self._written - self._capacity)
        found = []
        for index in range(first, self._written):
            start = (index % self._capacity) * self._width
            if self._cells[start] > after:
                found.append([_json(x) for x in self._cells[start : start + self._width]])
        return found


def _json(x: float) -> float | None:
    return None if math.isnan(x) else round(x, 2)


class _Period:
    """What one point is made of while its time is running."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.durations = {name: Durations() for name in TIMED}
        self.gauges: dict[str, float] = {}

    def close(self, elapsed_s: float) -> list[float]:
        rates = [self.counts[name] / elapsed_s for name in COUNTS]
        gauges = [self.gauges.get(name, math.nan) for name in GAUGES]
        quantiles = [self.durations[n].quantile(q) for q in (0.5, 0.99) for n in TIMED]
        self.counts.clear()
        self.gauges = {}
        for durations in self.durations.values():
            durations.clear()
        return [*rates, *gauges, *quantiles]


@dataclass
class _Resolution:
    every_s: int
    ring: Ring
    period: _Period
    since: float | None = None


class History:
    """Counts and durations as they come, gauges once per ``tick``; points when time is up."""

    def __init__(self) -> None:
        self._fine = _Resolution(FINE_S, Ring(FINE_POINTS), _Period())
        self._coarse = _Resolution(COARSE_S, Ring(COARSE_POINTS), _Period())
        self._resolutions = (self._fine, self._coarse)

    def count(self, name: str, n: int = 1) -> None:
        for resolution in self._resolutions:
            resolution.period.counts[name] += n

    def duration(self, stage: str, ms: float) -> None:
        for resolution in self._resolutions:
            if stage in resolution.period.durations:
                resolution.period.durations[stage].add(ms)

    def tick(self, now: float, gauges: Mapping[str, float]) -> None:
        """Note the gauges (a period keeps their peak) and close the periods that are over."""
        for resolution in self._resolutions:
            kept = resolution.period.gauges
            for name, value in gauges.items():
                kept[name] = max(kept.get(name, value), value)
            _close_if_over(resolution, now)

    def fine(self, after: float = -math.inf) -> list[Point]:
        return self._fine.ring.points(after)

    def coarse(self, after: float = -math.inf) -> list[Point]:
        return self._coarse.ring.points(after)


def _close_if_over(resolution: _Resolution, now: float) -> None:
    """A late tick closes one longer period; a clock set back starts a new one."""
    if resolution.since is None or now < resolution.since:
        resolution.since = now
        return
    # The boundary after the nearest one: no period is shorter than half of its length.
    boundary = (math.floor(resolution.since / resolution.every_s + 0.5) + 1) * resolution.every_s
    if now >= boundary:
        row = resolution.period.close(now - resolution.since)
        resolution.ring.append(now, row)
        resolution.since = now
