"""Histograms of durations that cost an image nothing but a look-up.

prometheus_client's own take a lock for each bucket and each sum, 3 us an observation and five
of them an image; these are fed by one thread, and read whole when they are scraped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Durations:
    """Seconds in, counts by bucket out. One thread observes."""

    def __init__(self, bounds_s: Sequence[float]) -> None:
        """`bounds_s`: upper bounds, rising; the last bucket has none."""
        self._bounds_s = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)
        self._sum_s = 0.0

    def observe(self, durations_s: Sequence[float]) -> None:
        counts, bounds_s = self._counts, self._bounds_s
        for seconds in durations_s:
            counts[bisect_left(bounds_s, seconds)] += 1
        self._sum_s += sum(durations_s)

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus shows them: upper bound, and how many are not above it."""
        names = [*map(floatToGoString, self._bounds_s), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))

    @property
    def sum_s(self) -> float:
        return self._sum_s


class Histogram(Collector):
    """One family: `series` by the value of its label, or by "" where it has no label."""

    def __init__(
        self, name: str, text: str, label: str, values: Iterable[str], bounds_s: Sequence[float]
    ) -> None:
        self._name, self._text = name, text
        self._labels = [label] if label else []
        self.series = {value: Durations(bounds_s) for value in values}

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for value, durations in self.series.items():
            labels = [value] if self._labels else []
            family.add_metric(labels, durations.buckets(), durations.sum_s)
        yield family
