"""Quantiles of durations from counts in logarithmic buckets: bounded, mergeable."""

from __future__ import annotations

import math
from collections import Counter

RATIO = 1.06
"""Bucket width: a quantile is off by at most 3 % of itself."""
SMALLEST_MS = 0.01
LARGEST_MS = 3_600_000.0
_LOG_RATIO = math.log(RATIO)


class Durations:
    """Milliseconds in, quantiles out; at most 339 buckets however many durations."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, *times_ms: float) -> None:
        counts = self._counts
        for ms in times_ms:
            clamped = (
                ms if SMALLEST_MS <= ms <= LARGEST_MS else min(max(ms, SMALLEST_MS), LARGEST_MS)
            )
            bucket = int(math.log(clamped / SMALLEST_MS) / _LOG_RATIO)
            counts[bucket] = counts.get(bucket, 0) + 1

    def merge(self, other: Durations) -> None:
        self._counts.update(other._counts)

    def quantile(self, q: float) -> float:
        """The q-quantile (0 < q ≤ 1) in milliseconds; NaN when there is nothing."""
        rank = math.ceil(q * self._counts.total())
        for bucket in sorted(self._counts):
            rank -= self._counts[bucket]
            if rank <= 0:
                return SMALLEST_MS * math.exp(_LOG_RATIO * (bucket + 0.5))
        return math.nan
