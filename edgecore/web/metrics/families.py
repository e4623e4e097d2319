"""From the status object to Prometheus families: names, units and label bounds in one place.

A counter whose source restarts (a Lambda starts again at 0) goes back to 0 here as well; that
is what ``rate()`` expects of a restarted process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import Metric

from contract.status import Status
from edgecore.core.stats import mapping, numbers, part, workers
from edgecore.core.verdict import DEGRADED, DOWN, OK, verdict_of
from edgecore.disk.space import used_share
from edgecore.web.metrics.cameras import camera_families
from edgecore.web.metrics.samples import (
    MAX_LABEL_VALUES,
    Row,
    by_key,
    counter,
    gauge,
    labelled,
    one,
)
from edgecore.web.metrics.watching import alerts, history

FUNCTION_STATES = ("starting", "running", "backoff", "crash_loop", "stopped", "hung")

LEVELS = ("ok", "warning", "error", "skipped")


def families(status: Status) -> Iterator[Metric]:
    """All families of one status object."""
    yield from _core(status)
    yield from _verdict(status)
    yield from _doctor(mapping(status.get("doctor")))
    yield from history(mapping(status.get("history")))
    yield from alerts(mapping(status.get("alerts")))
    yield from _functions(status.get("functions", [])[:MAX_LABEL_VALUES])
    yield from _router(status.get("router", {}), status.get("mqtt", {}))
    yield from _cloud(status.get("cloud", {}))
    yield from camera_families(part(status, "grabber"))
    yield from _splitter(part(status, "splitter"))
    yield from _workers(workers(status))
    yield from _aggregator(part(status, "aggregator"))


def _core(status: Status) -> Iterator[Metric]:
    core, group = status.get("core", {}), status.get("group", {})
    labels = {
        "thing": core.get("thing"),
        "version": core.get("version"),
        "group": group.get("name"),
        "deployment": group.get("deployment"),
    }
    values = [str(v or "") for v in labels.values()]
    yield gauge(
        "core_info", "The core and the deployment it runs; always 1.", [(values, 1)], labels
    )
    yield gauge("core_uptime_seconds", "Time since the core started.", one(core, "uptime_s"))
    yield gauge(
        "deployment_applied_timestamp_seconds",
        "When the current deployment was applied, Unix time.",
        one(group, "applied_at"),
    )


def _verdict(status: Status) -> Iterator[Metric]:
    verdict = verdict_of(status) if status else None
    states: list[Row] = (
        [([state], float(verdict["state"] == state)) for state in (OK, DEGRADED, DOWN)]
        if verdict
        else []
    )
    yield gauge("verdict", "1 for the site's verdict, 0 for the others.", states, ("state",))
    codes = Counter(reason["code"] for reason in verdict["reasons"]) if verdict else {}
    reasons: list[Row] = [([code], float(count)) for code, count in codes.items()]
    yield gauge("verdict_reasons", "Reasons of the verdict, by code.", reasons, ("code",))
    ready: list[Row] = [([], float(verdict["ready"]))] if verdict else []
    yield gauge("ready", "1 if an image that is published now would be inspected.", ready)
    disks = status.get("disks", [])
    free: list[Row] = [([d["use"]], float(d["free_bytes"])) for d in disks]
    shares = ((d["use"], used_share(d)) for d in disks)
    used: list[Row] = [([use], share) for use, share in shares if share is not None]
    yield gauge("disk_free_bytes", "Free space, by what is on the file system.", free, ("use",))
    yield gauge("disk_used_ratio", "Share of a disk that is used, 0 to 1.", used, ("use",))
    ends: list[Row] = [
        ([c["name"]], c["expires_in_s"]) for c in status.get("certificates", [])[:MAX_LABEL_VALUES]
    ]
    yield gauge("certificate_expires_seconds", "Until the certificate expires.", ends, ("name",))


def _doctor(doctor: Mapping[str, Any]) -> Iterator[Metric]:
    counts = numbers(doctor.get("counts"))
    rows: list[Row] = [([level], counts.get(level, 0.0)) for level in LEVELS] if counts else []
    yield gauge("doctor_checks", "Checks of the doctor by outcome.", rows, ("level",))


def _functions(functions: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    def rows(key: str, scale: float = 1.0) -> list[Row]:
        return labelled([(str(f["id"]), f) for f in functions], key, scale)

    label = ("function",)
    states = [
        ([str(f["id"]), state], float(f.get("state") == state))
        for f in functions
        for state in FUNCTION_STATES
    ]
    yield gauge(
        "function_state",
        "1 for the function's current state, 0 for the others.",
        states,
        ("function", "state"),
    )
    yield counter("function_restarts", "Starts after the first.", rows("restarts"), label)
    yield counter("function_invocations", "Invocations handed out.", rows("invocations"), label)
    yield counter("function_errors", "Invocations that failed.", rows("errors"), label)
    yield gauge("function_queue_items", "Work items waiting.", rows("queue"), label)
    yield gauge(
        "function_queue_age_seconds",
        "Age of the oldest waiting work item.",
        rows("oldest_ms", 1e-3),
        label,
    )
    yield gauge(
        "function_resident_memory_bytes",
        "Resident memory of its processes.",
        rows("rss_kb", 1024.0),
        label,
    )


def _router(router: Mapping[str, Any], mqtt: Mapping[str, Any]) -> Iterator[Metric]:
    yield gauge("router_queue_items", "Work items in the core.", one(router, "work_items"))
    yield gauge(
        "router_queue_limit_items", "Work items the core holds at most.", one(router, "limit")
    )
    yield counter("router_delivered", "Messages delivered.", one(router, "delivered"))
    yield counter("router_refused", "Messages refused: queue full.", one(router, "refused"))
    yield counter(
        "router_unrouted", "Messages that no subscription matched.", one(router, "unrouted")
    )
    clients = mqtt.get("clients")
    rows: list[Row] = [] if clients is None else [([], float(len(clients)))]
    yield gauge("mqtt_clients", "Devices connected.", rows)
    yield counter(
        "mqtt_too_large",
        "Messages above the size limit, refused, by thing.",
        by_key(mqtt.get("too_large")),
        ("thing",),
    )


def _cloud(cloud: Mapping[str, Any]) -> Iterator[Metric]:
    yield gauge("cloud_spooled_messages", "Messages waiting in the spool.", one(cloud, "spooled"))
    yield gauge("cloud_spooled_bytes", "Bytes waiting in the spool.", one(cloud, "spooled_bytes"))
    yield counter("cloud_sent", "Messages that the cloud acknowledged.", one(cloud, "sent"))
    yield counter(
        "cloud_dropped", "Messages dropped because the spool was full.", one(cloud, "dropped")
    )
    yield counter(
        "cloud_refused",
        "Messages that the spool did not take, by reason: they stay their publishers'.",
        by_key(cloud.get("refused_by_reason")),
        ("reason",),
    )
    yield gauge(
        "cloud_last_sync_timestamp_seconds",
        "When the cloud last acknowledged a message, Unix time.",
        one(cloud, "last_sync"),
    )


def _splitter(stats: Mapping[str, Any]) -> Iterator[Metric]:
    yield counter("splitter_accepted_images", "Images journaled.", one(stats, "accepted"))
    yield counter(
        "splitter_rejected_messages",
        "Publishes rejected, by reason.",
        by_key(stats.get("rejected")),
        ("reason",),
    )
    yield counter(
        "splitter_duplicate_images", "Images sent again by a camera.", one(stats, "duplicates")
    )
    yield counter(
        "splitter_redispatched_images", "Images dispatched again.", one(stats, "redispatched")
    )
    yield gauge(
        "splitter_backlog_images", "Images accepted and not terminal yet.", one(stats, "backlog")
    )
    yield gauge("splitter_inflight_images", "Images at the workers now.", one(stats, "inflight"))


def _workers(reported: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    bounded = list(reported.items())[:MAX_LABEL_VALUES]

    def rows(key: str, scale: float = 1.0) -> list[Row]:
        return labelled(bounded, key, scale)

    def model(worker: Mapping[str, Any], key: str) -> str:
        return str(mapping(worker.get("model")).get(key, ""))

    label = ("worker",)
    infos: list[Row] = [([n, model(w, "name"), model(w, "version")], 1.0) for n, w in bounded]
    yield gauge(
        "worker_info", "The worker's model; always 1.", infos, ("worker", "model", "version")
    )
    ready: list[Row] = [([n], float(w.get("state") == "ready")) for n, w in bounded]
    yield gauge("worker_ready", "1 if the worker is ready for work.", ready, label)
    yield gauge("worker_credits", "Batches the worker may still be sent.", rows("credits"), label)
    yield gauge("worker_inflight_images", "Images the worker holds.", rows("inflight"), label)
    yield gauge(
        "worker_busy_seconds", "Time spent on its current batch.", rows("busy_ms", 1e-3), label
    )
    yield counter("worker_done_images", "Images finished.", rows("done"), label)


def _aggregator(stats: Mapping[str, Any]) -> Iterator[Metric]:
    yield counter("aggregator_emitted_records", "Records emitted in order.", one(stats, "emitted"))
    yield counter("aggregator_gaps", "Gap records written.", one(stats, "gaps"))
    yield counter(
        "aggregator_late_records", "Records that came after their gap record.", one(stats, "late")
    )
    yield counter("aggregator_failed_images", "Images that ended as failed.", one(stats, "failed"))
    yield counter(
        "aggregator_duplicate_records", "Records received again.", one(stats, "duplicates")
    )
    yield counter(
        "aggregator_dropped_images",
        "Images that ended as dropped, by reason.",
        by_key(stats.get("dropped")),
        ("reason",),
    )
    yield counter(
        "aggregator_ignored_boxes",
        "Boxes left out because their centre is outside the region or in a mask, by camera.",
        by_key(stats.get("ignored_boxes")),
        ("camera",),
    )
    held = stats.get("reorder_buffer")
    rows: list[Row] = [] if held is None else [([], sum(numbers(held).values()))]
    yield gauge("aggregator_held_records", "Records waiting in the reorder buffer.", rows)
    yield gauge(
        "aggregator_outbox_records", "Records waiting in the outbox.", one(stats, "outbox_rows")
    )
    yield gauge(
        "aggregator_outbox_bytes", "Size of the outbox on disk.", one(stats, "outbox_bytes")
    )
    yield counter(
        "aggregator_outbox_dropped_records",
        "Dropped from the outbox for space.",
        one(stats, "outbox_dropped"),
    )
    yield counter(
        "aggregator_cloud_batches", "Batches published to the cloud.", one(stats, "cloud_batches")
    )
    yield counter("aggregator_s3_objects", "Objects written to S3.", one(stats, "s3_objects"))
