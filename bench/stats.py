"""Percentiles, medians of rounds and ratios; pure."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Rounds whose spread is wider are reported as unstable (half-range over median).
STABLE_SPREAD = 0.10


def percentile(values: Sequence[float], p: float) -> float:
    """Nearest-rank percentile, `p` in 0…100; raises ValueError for an empty list."""
    if not values:
        raise ValueError("percentile of no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(p / 100 * len(ordered)) - 1)]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90 and p99, to three decimals; raises ValueError for an empty list."""
    return {f"p{p}": round(percentile(values, p), 3) for p in (50, 90, 99)}


def steady_rate(arrivals_s: Sequence[float]) -> float | None:
    """Results per second in the middle 80 % of a run, without its start and its tail.

    `arrivals_s`: when each result came, in order. None for fewer than ten results. The slope of
    a line through whole bursts: workers in step deliver a batch each at the same time, and what
    lies between two results picked from such bursts is up to a burst too many.
    """
    first, last = len(arrivals_s) // 10, len(arrivals_s) * 9 // 10
    if len(arrivals_s) < 10 or arrivals_s[last] <= arrivals_s[first]:
        return None
    begin = bisect_left(arrivals_s, arrivals_s[first])
    end = bisect_right(arrivals_s, arrivals_s[last])
    return statistics.linear_regression(arrivals_s[begin:end], range(begin, end)).slope


def rates(rows: Iterable[Mapping[str, Any]], method: str) -> list[float]:
    """Images/s of a method, in the order of its rounds."""
    return [row["images_per_s"] for row in rows if row["method"] == method]


@dataclass(frozen=True)
class Spread:
    """What several rounds of one measurement say."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values), len(values))

    @property
    def stable(self) -> bool:
        """At least three rounds, and none far from the median."""
        half_range = (self.high - self.low) / 2
        return self.rounds >= 3 and half_range <= STABLE_SPREAD * self.median

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.low:.3g}–{self.high:.3g}]"


def paired_ratio(subject: Sequence[float], control: Sequence[float]) -> Spread:
    """Ratio round by round, so that what slows the whole machine cancels out.

    Raises ValueError unless both were measured in the same rounds.
    """
    if len(subject) != len(control):
        raise ValueError(f"{len(subject)} rounds against {len(control)}: not measured together")
    return Spread.of([s / c for s, c in zip(subject, control, strict=True)])
