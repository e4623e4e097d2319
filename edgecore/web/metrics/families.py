"""From the status object to Prometheus families: names, units and label bounds in one place.

A counter whose source restarts (a Lambda starts again at 0) goes back to 0 here as well; that
is what ``rate()`` expects of a restarted process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from contract.status import Status
from edgecore.core.stats import mapping, number, numbers, part, workers
from edgecore.web.metrics.cameras import camera_families

MAX_LABEL_VALUES = 256
"""Per family. Functions are bounded by the group, but the group is not ours to trust."""

FUNCTION_STATES = ("starting", "running", "backoff", "crash_loop", "stopped", "hung")

LEVELS = ("ok", "warning", "error", "skipped")
Row = tuple[list[str], float]


def families(status: Status) -> Iterator[Metric]:
    """All families of one status object."""
    yield from _core(status)
    yield from _doctor(mapping(status.get("doctor")))
    yield from _functions(status.get("functions", [])[:MAX_LABEL_VALUES])
    yield from _router(status.get("router", {}), status.get("mqtt", {}))
    yield from _cloud(status.get("cloud", {}))
    yield from camera_families(part(status, "grabber"))
    yield from _splitter(part(status, "splitter"))
    yield from _workers(workers(status))
    yield from _aggregator(part(status, "aggregator"))


def _gauge(name: str, text: str, rows: Iterable[Row], labels: Iterable[str] = ()) -> Metric:
    family = GaugeMetricFamily(f"fanfold_{name}", text, labels=list(labels))
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _counter(name: str, text: str, rows: Iterable[Row], labels: Iterable[str] = ()) -> Metric:
    family = CounterMetricFamily(f"fanfold_{name}", text, labels=list(labels))
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _one(source: Mapping[str, Any], key: str, scale: float = 1.0) -> list[Row]:
    """One unlabelled sample, or none: a value nobody has reported is absent, not 0."""
    value = number(source.get(key))
    return [] if value is None else [([], value * scale)]


def _by_key(counts: object) -> list[Row]:
    return [([k], v) for k, v in list(numbers(counts).items())[:MAX_LABEL_VALUES]]


def _labelled(items: Iterable[tuple[str, Mapping[str, Any]]], key: str, scale: float) -> list[Row]:
    """One sample for each of the items that reports ``key``."""
    found = ((name, number(item.get(key))) for name, item in items)
    return [([name], value * scale) for name, value in found if value is not None]


def _core(status: Status) -> Iterator[Metric]:
    core, group = status.get("core", {}), status.get("group", {})
    labels = {
        "thing": core.get("thing"),
        "version": core.get("version"),
        "group": group.get("name"),
        "deployment": group.get("deployment"),
    }
    values = [str(v or "") for v in labels.values()]
    yield _gauge(
        "core_info", "The core and the deployment it runs; always 1.", [(values, 1)], labels
    )
    yield _gauge("core_uptime_seconds", "Time since the core started.", _one(core, "uptime_s"))
    yield _gauge(
        "deployment_applied_timestamp_seconds",
        "When the current deployment was applied, Unix time.",
        _one(group, "applied_at"),
    )


def _doctor(doctor: Mapping[str, Any]) -> Iterator[Metric]:
    counts = numbers(doctor.get("counts"))
    rows: list[Row] = [([level], counts.get(level, 0.0)) for level in LEVELS] if counts else []
    yield _gauge("doctor_checks", "Checks of the doctor by outcome.", rows, ("level",))


def _functions(functions: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    def rows(key: str, scale: float = 1.0) -> list[Row]:
        return _labelled([(str(f["id"]), f) for f in functions], key, scale)

    label = ("function",)
    states = [
        ([str(f["id"]), state], float(f.get("state") == state))
        for f in functions
        for state in FUNCTION_STATES
    ]
    yield _gauge(
        "function_state",
        "1 for the function's current state, 0 for the others.",
        states,
        ("function", "state"),
    )
    yield _counter("function_restarts", "Starts after the first.", rows("restarts"), label)
    yield _counter("function_invocations", "Invocations handed out.", rows("invocations"), label)
    yield _counter("function_errors", "Invocations that failed.", rows("errors"), label)
    yield _gauge("function_queue_items", "Work items waiting.", rows("queue"), label)
    yield _gauge(
        "function_queue_age_seconds",
        "Age of the oldest waiting work item.",
        rows("oldest_ms", 1e-3),
        label,
    )
    yield _gauge(
        "function_resident_memory_bytes",
        "Resident memory of its processes.",
        rows("rss_kb", 1024.0),
        label,
    )


def _router(router: Mapping[str, Any], mqtt: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauge("router_queue_items", "Work items in the core.", _one(router, "work_items"))
    yield _gauge(
        "router_queue_limit_items", "Work items the core holds at most.", _one(router, "limit")
    )
    yield _counter("router_delivered", "Messages delivered.", _one(router, "delivered"))
    yield _counter("router_refused", "Messages refused: queue full.", _one(router, "refused"))
    yield _counter(
        "router_unrouted", "Messages that no subscription matched.", _one(router, "unrouted")
    )
    clients = mqtt.get("clients")
    rows: list[Row] = [] if clients is None else [([], float(len(clients)))]
    yield _gauge("mqtt_clients", "Devices connected.", rows)
    yield _counter(
        "mqtt_too_large",
        "Messages above the size limit, refused, by thing.",
        _by_key(mqtt.get("too_large")),
        ("thing",),
    )


def _cloud(cloud: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauge("cloud_spooled_messages", "Messages waiting in the spool.", _one(cloud, "spooled"))
    yield _gauge("cloud_spooled_bytes", "Bytes waiting in the spool.", _one(cloud, "spooled_bytes"))
    yield _counter("cloud_sent", "Messages that the cloud acknowledged.", _one(cloud, "sent"))
    yield _counter(
        "cloud_dropped", "Messages dropped because the spool was full.", _one(cloud, "dropped")
    )
    yield _counter(
        "cloud_refused",
        "Messages that the spool did not take, by reason: they stay their publishers'.",
        _by_key(cloud.get("refused_by_reason")),
        ("reason",),
    )
    yield _gauge(
        "cloud_last_sync_timestamp_seconds",
        "When the cloud last acknowledged a message, Unix time.",
        _one(cloud, "last_sync"),
    )


def _splitter(stats: Mapping[str, Any]) -> Iterator[Metric]:
    yield _counter("splitter_accepted_images", "Images journaled.", _one(stats, "accepted"))
    yield _counter(
        "splitter_rejected_messages",
        "Publishes rejected, by reason.",
        _by_key(stats.get("rejected")),
        ("reason",),
    )
    yield _counter(
        "splitter_duplicate_images", "Images sent again by a camera.", _one(stats, "duplicates")
    )
    yield _counter(
        "splitter_redispatched_images", "Images dispatched again.", _one(stats, "redispatched")
    )
    yield _gauge(
        "splitter_backlog_images", "Images accepted and not terminal yet.", _one(stats, "backlog")
    )
    yield _gauge("splitter_inflight_images", "Images at the workers now.", _one(stats, "inflight"))


def _workers(reported: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    bounded = list(reported.items())[:MAX_LABEL_VALUES]

    def rows(key: str, scale: float = 1.0) -> list[Row]:
        return _labelled(bounded, key, scale)

    def model(worker: Mapping[str, Any], key: str) -> str:
        return str(mapping(worker.get("model")).get(key, ""))

    label = ("worker",)
    infos: list[Row] = [([n, model(w, "name"), model(w, "version")], 1.0) for n, w in bounded]
    yield _gauge(
        "worker_info", "The worker's model; always 1.", infos, ("worker", "model", "version")
    )
    ready: list[Row] = [([n], float(w.get("state") == "ready")) for n, w in bounded]
    yield _gauge("worker_ready", "1 if the worker is ready for work.", ready, label)
    yield _gauge("worker_credits", "Batches the worker may still be sent.", rows("credits"), label)
    yield _gauge("worker_inflight_images", "Images the worker holds.", rows("inflight"), label)
    yield _gauge(
        "worker_busy_seconds", "Time spent on its current batch.", rows("busy_ms", 1e-3), label
    )
    yield _counter("worker_done_images", "Images finished.", rows("done"), label)


def _aggregator(stats: Mapping[str, Any]) -> Iterator[Metric]:
    yield _counter(
        "aggregator_emitted_records", "Records emitted in order.", _one(stats, "emitted")
    )
    yield _counter("aggregator_gaps", "Gap records written.", _one(stats, "gaps"))
    yield _counter(
        "aggregator_late_records", "Records that came after their gap record.", _one(stats, "late")
    )
    yield _counter(
        "aggregator_failed_images", "Images that ended as failed.", _one(stats, "failed")
    )
    yield _counter(
        "aggregator_duplicate_records", "Records received again.", _one(stats, "duplicates")
    )
    yield _counter(
        "aggregator_dropped_images",
        "Images that ended as dropped, by reason.",
        _by_key(stats.get("dropped")),
        ("reason",),
    )
    held = stats.get("reorder_buffer")
    rows: list[Row] = [] if held is None else [([], sum(numbers(held).values()))]
    yield _gauge("aggregator_held_records", "Records waiting in the reorder buffer.", rows)
    yield _gauge(
        "aggregator_outbox_records", "Records waiting in the outbox.", _one(stats, "outbox_rows")
    )
    yield _gauge(
        "aggregator_outbox_bytes", "Size of the outbox on disk.", _one(stats, "outbox_bytes")
    )
    yield _counter(
        "aggregator_outbox_dropped_records",
        "Dropped from the outbox for space.",
        _one(stats, "outbox_dropped"),
    )
    yield _counter(
        "aggregator_cloud_batches", "Batches published to the cloud.", _one(stats, "cloud_batches")
    )
    yield _counter("aggregator_s3_objects", "Objects written to S3.", _one(stats, "s3_objects"))
