"""Quantiles of durations from counts in logarithmic buckets: bounded, mergeable."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

RATIO = 1.06
"""Bucket width: a quantile is off by at most 3 % of itself."""
SMALLEST_MS = 0.01
LARGEST_MS = 3_600_000.0
_LOG_RATIO = math.log(RATIO)


_MOST_UNSORTED = 2048


class Durations:
    """Milliseconds in, quantiles out; at most 339 buckets however many durations."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._unsorted: list[float] = []

    def add(self, times_ms: Iterable[float]) -> None:
        self._unsorted += times_ms
        if len(self._unsorted) > _MOST_UNSORTED:
            self._count()

    def _count(self) -> None:
        """Sorted first: then a bucket costs one look-up, and not each of its durations."""
        times = sorted(ms for ms in self._unsorted if not math.isnan(ms))
        self._unsorted = []
        at = 0
        while at < len(times):
            clamped = min(max(times[at], SMALLEST_MS), LARGEST_MS)
            bucket = int(math.log(clamped / SMALLEST_MS) / _LOG_RATIO)
            begin, at = at, at + 1
            if at < len(times):
                at = bisect_left(times, SMALLEST_MS * math.exp(_LOG_RATIO * (bucket + 1)), at)
            self._counts[bucket] += at - begin

    def merge(self, other: Durations) -> None:
        other._count()
        self._counts.update(other._counts)

    def quantile(self, q: float) -> float:
        """The q-quantile (0 < q ≤ 1) in milliseconds; NaN when there is nothing."""
        self._count()
        rank = math.ceil(q * self._counts.total())
        for bucket in sorted(self._counts):
            rank -= self._counts[bucket]
            if rank <= 0:
                return SMALLEST_MS * math.exp(_LOG_RATIO * (bucket + 0.5))
        return math.nan
