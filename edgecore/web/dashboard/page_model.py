"""Turns messages that pass the router into what the page shows. No IO, no clock of its own."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
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

Sections = dict[str, Any]
Results = Callable[[str, list[Mapping[str, Any]], float], None]


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
        try:
            self._route(message)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
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
        records = json.loads(message.payload)["results"]
        for record in records:
            named = record if "stream" in record else {"stream": stream, **record}
            self._on_record(named, message.t)
        if self._on_results:
            self._on_results(stream, records, message.t)

    def _on_record(self, record: Mapping[str, Any], t: float) -> None:
        status = record.get("status")
        self.streams.result(record, t)
        if status == "gap":
            self.history.count("gaps")
            return
        self.history.count(str(status))
        self.history.durations(record.get("ms", {}))
        if "t_in" in record:
            self.history.durations({"total": (t - record["t_in"]) * 1000})
        self.workers.finished(str(record.get("worker", "")), t, record.get("model"))
        self.traces.result(record, t)
        gone = str(record.get("file", "")).startswith(f"{INBOX}/")
        if not gone or self.inline.get(str(record["id"])) or status != "ok":
            self.gallery.offer(record, t)

    def _on_cloud(self, message: Message) -> None:
        for record in json.loads(message.payload)["results"]:
            self.traces.cloud(record, message.t)

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


def _canary(status: Status) -> dict[str, Any]:
    """The last one's report; empty: this core has compared no model."""
    report: Mapping[str, Any] = status.get("canary") or {}
    flips = report.get("flips")
    return {**report, "flips": flips[:MAX_FLIPS]} if isinstance(flips, list) else dict(report)
