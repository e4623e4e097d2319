"""One image from publish to cloud: stages with their times, which sum to the total exactly.

What the parts measure (``ms`` of a result) leaves out the way between them. The core sees
the message at both ends, so the remainder has a name, ``handover``, and nothing is hidden in
rounding: total = ingest + queue + read + transform + inference + order + handover + cloud.
A negative handover says that stages overlapped (a micro-batch is decoded ahead).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ORDER = ("ingest", "queue", "read", "transform", "inference", "order", "handover", "cloud")
_MEASURED = ORDER[1:6]
MAX_TRACES = 2000
MAX_PENDING = 4000

Key = tuple[str, int]


@dataclass(slots=True)
class Trace:
    """Times in epoch seconds as the core saw them; stages in milliseconds."""

    stream: str
    seq: int
    id: str
    status: str
    worker: str
    t_start: float
    t_result: float
    stages: dict[str, float] = field(default_factory=dict)
    t_cloud: float | None = None

    @property
    def total_ms(self) -> float:
        return ((self.t_cloud or self.t_result) - self.t_start) * 1000

    def as_json(self) -> dict[str, Any]:
        stages = [{"stage": s, "ms": self.stages[s]} for s in ORDER if s in self.stages]
        return {
            "stream": self.stream,
            "seq": self.seq,
            "id": self.id,
            "status": self.status,
            "worker": self.worker,
            "t_start": self.t_start,
            "total_ms": self.total_ms,
            "reached_cloud": self.t_cloud is not None,
            "stages": stages,
        }


class TraceBook:
    """The last traces; bounded whatever is published and never answered."""

    def __init__(self) -> None:
        self._published: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._accepted: OrderedDict[Key, float] = OrderedDict()
        self._traces: OrderedDict[Key, Trace] = OrderedDict()

    def published(self, stream: str, message_id: str, t: float) -> None:
        """The first publish counts: a resend waits since then."""
        self._published.setdefault((stream, message_id), t)
        _bound(self._published, MAX_PENDING)

    def accepted(self, stream: str, message_id: str, first: int, count: int) -> None:
        """Ties a publish to its sequence numbers; a manifest's images share its start."""
        t = self._published.pop((stream, message_id), None)
        if t is None:
            return
        for seq in range(first, first + min(count, MAX_PENDING)):
            self._accepted[stream, seq] = t
        _bound(self._accepted, MAX_PENDING)

    def result(self, record: Mapping[str, Any], t: float) -> Trace | None:
        """A terminal record on its way out in order; None where it has no start time."""
        key = (record["stream"], record["seq"])
        t_in = record.get("t_in")
        if t_in is None:
            return None
        start = min(self._accepted.pop(key, t_in), t_in)
        measured = record.get("ms", {})
        stages = {"ingest": (t_in - start) * 1000}
        for stage in _MEASURED:
            if stage in measured:
                stages[stage] = float(measured[stage])
        stages["handover"] = (t - start) * 1000 - sum(stages.values())
        trace = Trace(
            stream=key[0],
            seq=key[1],
            id=str(record.get("id", "")),
            status=str(record.get("status", "")),
            worker=str(record.get("worker", "")),
            t_start=start,
            t_result=t,
            stages=stages,
        )
        self._traces[key] = trace
        _bound(self._traces, MAX_TRACES)
        return trace

    def cloud(self, stream: str, seq: int, t: float) -> None:
        """The record left for the cloud; a second time (at least once) changes nothing."""
        trace = self._traces.get((stream, seq))
        if trace is not None and trace.t_cloud is None:
            trace.t_cloud = t
            trace.stages["cloud"] = (t - trace.t_result) * 1000

    def get(self, stream: str, seq: int) -> Trace | None:
        return self._traces.get((stream, seq))

    def find(self, image_id: str) -> Trace | None:
        """The newest with this id; ids may repeat across streams."""
        return next((t for t in reversed(self._traces.values()) if t.id == image_id), None)

    def slowest(self, n: int) -> list[Trace]:
        return sorted(self._traces.values(), key=lambda t: t.total_ms, reverse=True)[:n]


def _bound(book: OrderedDict[Any, Any], limit: int) -> None:
    while len(book) > limit:
        book.popitem(last=False)
