"""Families of what the core watches: its history and the alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric

from edgecore.core.stats import mapping
from edgecore.web.metrics.samples import (
    MAX_LABEL_VALUES,
    Row,
    by_key,
    counter,
    gauge,
    labelled,
    one,
)


def history(history: Mapping[str, Any]) -> Iterator[Metric]:
    yield counter(
        "history_written_images", "Images written to the history.", one(history, "written")
    )
    yield counter(
        "history_dropped_images",
        "Images left out of the history, by reason; they were inspected all the same.",
        by_key(history.get("dropped_by_reason")),
        ("reason",),
    )
    yield gauge("history_bytes", "Size of the history on disk.", one(history, "bytes"))
    yield gauge(
        "history_limit_bytes", "Size that the history may have.", one(history, "quota_bytes")
    )
    yield from _samples(mapping(history.get("samples")))
    yield gauge(
        "samples_bytes", "Whole pictures of live images that are kept.",
        one(history, "samples_bytes"),
    )  # fmt: skip


def _samples(samples: Mapping[str, Any]) -> Iterator[Metric]:
    yield counter("samples_kept_images", "Live images kept whole.", one(samples, "kept"))
    yield counter(
        "samples_left_out_images",
        "Live images that a rule wanted and that were not kept, by reason.",
        by_key(samples.get("left_out_by_reason")),
        ("reason",),
    )


def alerts(alerts: Mapping[str, Any]) -> Iterator[Metric]:
    known = [mapping(a) for a in alerts.get("alerts", [])][:MAX_LABEL_VALUES]
    on: list[Row] = [([str(a.get("rule"))], float(a.get("state") == "on")) for a in known]
    yield gauge("alert_state", "1 for an alert that is on, 0 for one that waits.", on, ("alert",))
    ways = [(str(c.get("name")), c) for c in map(mapping, alerts.get("channels", []))]
    label = ("channel",)
    yield counter("alerts_sent", "Messages sent.", labelled(ways, "sent", 1.0), label)
    yield counter(
        "alerts_failures", "Attempts that failed.", labelled(ways, "failures", 1.0), label
    )
    yield counter(
        "alerts_dropped", "Messages never sent: too many waited.", labelled(ways, "dropped", 1.0),
        label,
    )  # fmt: skip
    yield gauge(
        "alerts_waiting_messages", "Messages not sent yet.", labelled(ways, "waiting", 1.0), label
    )
