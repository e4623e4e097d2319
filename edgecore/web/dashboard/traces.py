"""One image from publish to cloud: stages with their times, which sum to the total exactly.

What the parts measure (``ms`` of a result) leaves out the way between them. The core sees
the message at both ends, so the remainder has a name, ``handover``, and nothing is hidden in
rounding: total = ingest + queue + read + transform + inference + order + handover + cloud.
A negative handover says that stages overlapped (a micro-batch is decoded ahead).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

ORDER = ("ingest", "queue", "read", "transform", "inference", "order", "handover", "cloud")
_MEASURED = ORDER[1:6]
MAX_TRACES = 2000
MAX_PENDING = 6000
"""Results that nobody has read yet still need the start of theirs: more than ``MAX_TRACES``."""
MAX_UNREAD_BYTES = 4 << 20

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Unread:
    read: Callable[[], object]
    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers that were accepted together, published at ``t``."""

    stream: str
    first: int
    count: int
    t: float


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
    """The last traces; bounded whatever is published and never answered.

    Few of them are ever asked for: what ``later`` is given is read when one is.
    """

    def __init__(self) -> None:
        self._published: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._ranges: deque[_Range] = deque()
        self._range_images = 0
        self._unread: deque[_Unread] = deque()
        self._unread_records = self._unread_bytes = 0
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
        self._ranges.append(_Range(stream, first, min(count, MAX_PENDING), t))
        self._range_images += self._ranges[-1].count
        while self._range_images > MAX_PENDING and len(self._ranges) > 1:
            self._range_images -= self._ranges.popleft().count

    def later(self, read: Callable[[], object], records: int, size: int) -> None:
        """``read`` calls ``result`` or ``cloud`` for so many records of a message of ``size``
        bytes; never where as many newer ones come before somebody asks."""
        self._unread.append(_Unread(read, records, size))
        self._unread_records += records
        self._unread_bytes += size
        while (
            self._unread_records - self._unread[0].records >= MAX_TRACES
            or self._unread_bytes > MAX_UNREAD_BYTES
        ):
            self._forget_unread()

    def _forget_unread(self) -> _Unread:
        oldest = self._unread.popleft()
        self._unread_records -= oldest.records
        self._unread_bytes -= oldest.bytes
        return oldest

    def _catch_up(self) -> None:
        while self._unread:
            self._forget_unread().read()

    def _note_starts(self) -> None:
        for one in self._ranges:
            for seq in range(one.first, one.first + one.count):
                self._accepted[one.stream, seq] = one.t
        self._ranges.clear()
        self._range_images = 0
        _bound(self._accepted, MAX_PENDING)

    def result(self, record: Mapping[str, Any], t: float) -> Trace | None:
        """A terminal record on its way out in order; None where it has no start time."""
        key = (record["stream"], record["seq"])
        t_in = record.get("t_in")
        if t_in is None:
            return None
        if self._ranges:
            self._note_starts()
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
        self._catch_up()
        return self._traces.get((stream, seq))

    def find(self, image_id: str) -> Trace | None:
        """The newest with this id; ids may repeat across streams."""
        self._catch_up()
        return next((t for t in reversed(self._traces.values()) if t.id == image_id), None)

    def slowest(self, n: int) -> list[Trace]:
        self._catch_up()
        return sorted(self._traces.values(), key=lambda t: t.total_ms, reverse=True)[:n]


def _bound(book: OrderedDict[Any, Any], limit: int) -> None:
    while len(book) > limit:
        book.popitem(last=False)
