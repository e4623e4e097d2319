"""Turns messages that pass the router into what the page shows. No IO, no clock of its own."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from contract.status import Status
from contract.topics import ACCEPTED, HEARTBEAT, IMAGES, JOBS, RESULTS, WORK
from contract.volumes import INBOX
from edgecore.core.stats import fetched_cameras, numbers, part
from edgecore.core.verdict import verdict_of
from edgecore.web.dashboard.gallery import Gallery
from edgecore.web.dashboard.history import History, OnPoint
from edgecore.web.dashboard.inline import InlineImages
from edgecore.web.dashboard.ports import Message, SiteView
from edgecore.web.dashboard.streams import StreamTable
from edgecore.web.dashboard.traces import TraceBook
from edgecore.web.dashboard.workers import WorkerBoard

MAX_JOBS = 50
MAX_FUNCTIONS = 100
MAX_CLIENTS = 50
MAX_FINDINGS = 100
MAX_FLIPS = 5
_KEY = re.compile(rb'\{"stream":"([a-z0-9-]{1,64})","seq":([0-9]{1,16}),')

Sections = dict[str, Any]
Results = Callable[[str, Mapping[str, int], Mapping[str, Sequence[float]]], None]
"""Stream, how many results by status, and their milliseconds by stage."""
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class PageModel:
    """``observe`` every message, ``tick`` with a status, read ``sections``."""

    def __init__(
        self,
        view: SiteView,
        on_results: Results | None = None,
        on_point: OnPoint | None = None,
    ) -> None:
        self.view = view
        self.history = History(on_point) if on_point is not None else History()
        self.traces = TraceBook()
        self.gallery = Gallery()
        self.inline = InlineImages()
        self.streams = StreamTable()
        self.workers = WorkerBoard()
        self.jobs: deque[Mapping[str, Any]] = deque(maxlen=MAX_JOBS)
        self.unreadable = 0
        self._on_results = on_results

    def observe(self, message: Message) -> None:
        """A message that is not what its topic promises is counted and otherwise ignored."""
        self._attempt(partial(self._route, message))

    def _attempt(self, read: Callable[[], object]) -> None:
        try:
            read()
        except _MALFORMED:
            self.unreadable += 1

    def _route(self, message: Message) -> None:
        if message.topic == self.view.cloud_topic:
            self._on_cloud(message)
            return
        head, _, leaf = message.topic.removeprefix(f"{self.view.site}/").partition("/")
        if head == IMAGES:
            self._on_images(leaf, message)
        elif head == WORK:
            self.workers.dispatched(leaf, message.payload)
        elif head == HEARTBEAT:
            self.workers.heartbeat(json.loads(message.payload))
        elif head == RESULTS:
            self._on_ordered(leaf, message)
        elif head == JOBS:
            self.jobs.appendleft(dict(json.loads(message.payload)))

    def _on_images(self, leaf: str, message: Message) -> None:
        camera, _, answer = leaf.partition("/")
        if answer == ACCEPTED:
            accepted = json.loads(message.payload)
            if not accepted.get("duplicate"):
                self.traces.accepted(camera, accepted["id"], accepted["seq"], accepted["count"])
        elif not answer:
            image_id = self.inline.id_of(camera, message.payload, message.t)
            if image_id is None:
                return
            self.traces.published(camera, image_id, message.t)
            self.inline.offer(camera, image_id, message.payload, message.t)

    def _on_ordered(self, stream: str, message: Message) -> None:
        """Most of what is shown are sums: they are made for the message, not for each record."""
        records = _records(stream, message.payload)
        t, seen = message.t, _Seen(message.t)
        for record in records:
            seen.add(record)
            if record.get("status") != "gap":
                self._show(record, t)
        for name, counts in seen.counts.items():
            self.streams.results(name, counts, seen.last_seq[name], t)
            for status, count in counts.items():
                self.history.count("gaps" if status == "gap" else status, count)
        for worker, count in seen.finished.items():
            self.workers.finished(worker, t, seen.models[worker], count)
        self.history.durations(seen.times_ms)
        self._later(self._trace, stream, message, len(records))
        if self._on_results:
            counted = sum(map(Counter, seen.counts.values()), Counter())
            self._on_results(stream, counted, seen.times_ms)

    def _show(self, record: Mapping[str, Any], t: float) -> None:
        if record.get("status") == "ok":
            if not self.gallery.is_due(str(record["stream"]), t):
                return
            gone = str(record.get("file", "")).startswith(f"{INBOX}/")
            if gone and not self.inline.get(str(record["id"])):
                return
        self.gallery.offer(record, t)

    def _later(self, read: Callable[..., object], stream: str, message: Message, n: int) -> None:
        """Of traces, which are seldom looked at."""
        attempt = partial(self._attempt, partial(read, stream, message))
        self.traces.later(attempt, n, len(message.payload))

    def _trace(self, stream: str, message: Message) -> None:
        for record in _records(stream, message.payload):
            if record.get("status") != "gap":
                self.traces.result(record, message.t)

    def _on_cloud(self, message: Message) -> None:
        """Of a batch only which images are in it."""
        self._later(self._trace_to_cloud, "", message, 0)

    def _trace_to_cloud(self, _stream: str, message: Message) -> None:
        for stream, seq in _keys_of(message.payload):
            self.traces.cloud(stream, seq, message.t)

    def tick(self, status: Status, now: float) -> None:
        """Once or twice a second: gauges into the history, reorder wait into the streams."""
        splitter = part(status, "splitter")
        held = numbers(part(status, "aggregator").get("reorder_buffer"))
        gauges = {
            "backlog": splitter.get("backlog"),
            "inflight": splitter.get("inflight"),
            "held": sum(held.values()),
            "router": status.get("router", {}).get("work_items"),
            "spooled": status.get("cloud", {}).get("spooled"),
        }
        self.history.tick(now, numbers(gauges))
        self.streams.reorder_buffer(held)

    def sections(self, status: Status, now: float) -> Sections:
        """Everything the page shows but the charts; each section is bounded."""
        functions = status.get("functions", [])
        aggregator = {k: v for k, v in part(status, "aggregator").items() if k != "reorder_buffer"}
        splitter = {k: v for k, v in part(status, "splitter").items() if k != "workers"}
        group = {**status.get("group", {})}
        group["history"] = status.get("group", {}).get("history", [])[-20:]
        verdict = verdict_of(status)
        return {
            "core": status.get("core", {}),
            "group": group,
            "verdict": {**verdict, "reasons": verdict["reasons"][:MAX_FINDINGS]},
            "workers": self.workers.cards(status, now),
            "functions": functions[:MAX_FUNCTIONS],
            "functions_total": len(functions),
            "router": status.get("router", {}),
            "clients": status.get("mqtt", {}).get("clients", [])[:MAX_CLIENTS],
            "clients_total": len(status.get("mqtt", {}).get("clients", [])),
            "splitter": splitter,
            "aggregator": aggregator,
            "streams": self.streams.top(),
            "streams_total": len(self.streams),
            "cameras": fetched_cameras(status),
            "canary": _canary(status),
            "images": self.gallery.latest(),
            "jobs": list(self.jobs),
            "cloud": status.get("cloud", {}),
            "findings": status.get("findings", [])[:MAX_FINDINGS],
            "doctor": status.get("doctor", {}),
        }


class _Seen:
    """What the records of one message sum up to; the core saw it at ``t``."""

    def __init__(self, t: float) -> None:
        self._t = t
        self.counts: dict[str, dict[str, int]] = {}
        self.last_seq: dict[str, int] = {}
        self.finished: dict[str, int] = {}
        self.models: dict[str, object] = {}
        self.times_ms: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, record: Mapping[str, Any]) -> None:
        name, status = str(record.get("stream", "")), str(record.get("status"))
        counts = self.counts.setdefault(name, {})
        counts[status] = counts.get(status, 0) + 1
        self.last_seq[name] = max(self.last_seq.get(name, 0), int(record.get("seq", 0)))
        if status == "gap":
            return
        worker, times_ms = str(record.get("worker", "")), self.times_ms
        self.finished[worker] = self.finished.get(worker, 0) + 1
        self.models[worker] = record.get("model")
        for stage, ms in record.get("ms", {}).items():
            times_ms[stage].append(float(ms))
        if "t_in" in record:
            times_ms["total"].append((self._t - record["t_in"]) * 1000)


def _records(stream: str, payload: bytes) -> list[Mapping[str, Any]]:
    """Of an ordered message; an announced gap may leave its stream to the topic."""
    records = json.loads(payload)["results"]
    return [r if "stream" in r else {"stream": stream, **r} for r in records]


def _keys_of(payload: bytes) -> list[tuple[str, int]]:
    """Stream and number of each record, as the aggregator writes them: to read 100 KB of JSON
    for them costs ten times as much."""
    found = _KEY.findall(payload)
    if found:
        return [(stream.decode(), int(seq)) for stream, seq in found]
    records = json.loads(payload)["results"]
    return [(str(record.get("stream")), int(record.get("seq", 0))) for record in records]


def _canary(status: Status) -> dict[str, Any]:
    """The last one's report; empty: this core has compared no model."""
    report: Mapping[str, Any] = status.get("canary") or {}
    flips = report.get("flips")
    return {**report, "flips": flips[:MAX_FLIPS]} if isinstance(flips, list) else dict(report)
