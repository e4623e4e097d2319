"""The core's own Prometheus registry: status at scrape time, plus what passed since the start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from contract.status import Status
from edgecore.web.metrics.durations import Histogram
from edgecore.web.metrics.families import families

STAGES = ("queue", "read", "transform", "inference", "order")
TERMINAL = frozenset(("ok", "failed", "dropped"))
MAX_STREAMS = 100
"""Streams with a label of their own; later ones are counted under ``other``."""

# From a GPU's 1 ms to the reorder wait's seconds; doubling keeps every quantile within a factor 2.
BUCKETS_S = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.5, 1.0, 2.5, 5.0, 30)

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]


class Metrics:
    """Feed it results with ``observe``; ``render`` is the body of ``/metrics``."""

    def __init__(self, status: Callable[[], Status]) -> None:
        # ``_created`` would double the series, and nobody graphs it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.registry.register(_StatusCollector(status))
        ProcessCollector(registry=self.registry)
        self._images = Counter(
            "fanfold_images",
            "Terminal records, by stream and status.",
            ("stream", "status"),
            registry=self.registry,
        )
        stages = Histogram(
            "fanfold_stage_duration_seconds",
            "Time that one image spent in one stage.",
            "stage",
            STAGES,
            BUCKETS_S,
        )
        whole = Histogram(
            "fanfold_image_duration_seconds",
            "Time from acceptance by the splitter to the ordered result.",
            "",
            ("",),
            BUCKETS_S,
        )
        self.registry.register(stages)
        self.registry.register(whole)
        self._stages, self._whole = stages.series, whole.series[""]
        self._streams: set[str] = set()

    def observe(
        self, stream: str, counts: Mapping[str, int], times_ms: Mapping[str, Sequence[float]]
    ) -> None:
        """One ordered message: its results by status, their times by stage; ``total``: from
        acceptance until the core saw them."""
        label = self._stream_label(stream)
        for status, count in counts.items():
            if status in TERMINAL:  # a gap is an announcement, not a terminal record
                self._images.labels(label, status).inc(count)
        for stage, times in times_ms.items():
            if (durations := self._stages.get(stage)) is not None:
                durations.observe([ms / 1000 for ms in times])
        self._whole.observe([max(0.0, ms / 1000) for ms in times_ms.get("total", ())])

    def render(self) -> bytes:
        """Prometheus text exposition, to be sent as ``CONTENT_TYPE_LATEST``."""
        return generate_latest(self.registry)

    def _stream_label(self, stream: str) -> str:
        if stream not in self._streams:
            if len(self._streams) >= MAX_STREAMS:
                return "other"
            self._streams.add(stream)
        return stream


class _StatusCollector(Collector):
    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        yield from families(self._status())

    def describe(self) -> Iterable[Metric]:
        """Names without asking the core, which may not be up when the registry is built."""
        return families({})
