"""Time series in the core's memory: one point a second for 10 minutes, one in 10 s for 6 hours.

Fixed columns in fixed rings, so a core that is up for a year holds what it held after a day
(2,760 points of 22 numbers, half a megabyte).
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from edgecore.web.dashboard.quantiles import Durations

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

    @property
    def written(self) -> int:
        """How many points there were ever."""
        return self._written

    def append(self, t: float, row: list[float]) -> None:
        start = (self._written % self._capacity) * self._width
        self._cells[start : start + self._width] = array("d", [t, *row])
        self._written += 1

    def points(self, behind: int = 0) -> list[Point]:
        """Points behind the first ``behind`` that were written, in order of time.

        What was not measured is None. Points of a clock that was set back since are left out: a
        chart has no place for two hours that were the same.
        """
        found: list[Point] = []
        limit = math.inf
        for index in range(self._written - 1, max(behind, self._written - self._capacity) - 1, -1):
            start = (index % self._capacity) * self._width
            if self._cells[start] < limit:
                limit = self._cells[start]
                found.append([_json(x) for x in self._cells[start : start + self._width]])
        return found[::-1]


def _json(x: float) -> float | None:
    return None if math.isnan(x) else round(x, 2)


class _Period:
    """What one point is made of while its time is running."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.durations = {name: Durations() for name in TIMED}
        self.gauges: dict[str, float] = {}

    def gauge(self, name: str, value: float) -> None:
        """A period keeps the peak."""
        self.gauges[name] = max(self.gauges.get(name, value), value)

    def merge(self, other: _Period) -> None:
        self.counts.update(other.counts)
        for name, durations in other.durations.items():
            self.durations[name].merge(durations)
        for name, value in other.gauges.items():
            self.gauge(name, value)

    def point(self, elapsed_s: float) -> list[float]:
        rates = [self.counts[name] / elapsed_s for name in COUNTS]
        gauges = [self.gauges.get(name, math.nan) for name in GAUGES]
        quantiles = [self.durations[n].quantile(q) for q in (0.5, 0.99) for n in TIMED]
        return [*rates, *gauges, *quantiles]


OnPoint = Callable[[int, list[float]], None]


def _nobody(_every_s: int, _point: list[float]) -> None:
    pass


class _Resolution:
    def __init__(self, every_s: int, points: int, on_point: OnPoint) -> None:
        self.every_s = every_s
        self._on_point = on_point
        self.ring = Ring(points)
        self.period = _Period()
        self.since: float | None = None

    def is_over(self, now: float) -> bool:
        """A late tick ends one longer period; a clock set back starts a new one."""
        if self.since is None or now < self.since:
            self.since = now
        # The boundary after the nearest one: no period is shorter than half of its length.
        return now >= (math.floor(self.since / self.every_s + 0.5) + 1) * self.every_s

    def close(self, now: float) -> _Period:
        """Write the point; the period that is over is handed back."""
        closed, self.period = self.period, _Period()
        point = closed.point(now - (self.since or now))
        self.ring.append(now, point)
        self._on_point(self.every_s, [now, *point])
        self.since = now
        return closed


class History:
    """Counts and durations as they come, gauges once per ``tick``; points when time is up."""

    def __init__(self, on_point: OnPoint = _nobody) -> None:
        """``on_point``: every point as it is made, with the seconds that it covers."""
        self._fine = _Resolution(FINE_S, FINE_POINTS, on_point)
        self._coarse = _Resolution(COARSE_S, COARSE_POINTS, on_point)

    def restore(self, every_s: int, points: Sequence[Sequence[float | None]]) -> None:
        """Points of a core before this one, oldest first; of another version: left out."""
        resolution = self._fine if every_s == FINE_S else self._coarse
        for t, *row in points:
            if len(row) == len(COLUMNS) and t is not None:
                resolution.ring.append(t, [math.nan if x is None else x for x in row])

    def count(self, name: str, n: int = 1) -> None:
        self._fine.period.counts[name] += n

    def durations(self, times_ms: Mapping[str, Sequence[float]]) -> None:
        """Times in stages of ``TIMED``; other stages are somebody's own and not charted."""
        known = self._fine.period.durations
        for stage, times in times_ms.items():
            if stage in known:
                known[stage].add(times)

    def tick(self, now: float, gauges: Mapping[str, float]) -> None:
        """Note the gauges and close the periods that are over; a fine one joins its coarse one."""
        for name, value in gauges.items():
            self._fine.period.gauge(name, value)
        coarse_is_over = self._coarse.is_over(now)
        if self._fine.is_over(now):
            self._coarse.period.merge(self._fine.close(now))
        if coarse_is_over:
            self._coarse.close(now)

    @property
    def fine_written(self) -> int:
        """What to pass as ``behind`` for the points that come from now on."""
        return self._fine.ring.written

    def fine(self, behind: int = 0) -> list[Point]:
        return self._fine.ring.points(behind)

    def coarse(self) -> list[Point]:
        return self._coarse.ring.points()
