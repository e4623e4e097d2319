"""Samples of a family, from what somebody reported: what is not reported is absent, not 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.core.stats import number, numbers

MAX_LABEL_VALUES = 256
"""Per family. Functions are bounded by the group, but the group is not ours to trust."""

Row = tuple[list[str], float]


def gauge(name: str, text: str, rows: Iterable[Row], labels: Iterable[str] = ()) -> Metric:
    family = GaugeMetricFamily(f"fanfold_{name}", text, labels=list(labels))
    for values, value in rows:
        family.add_metric(values, value)
    return family


def counter(name: str, text: str, rows: Iterable[Row], labels: Iterable[str] = ()) -> Metric:
    family = CounterMetricFamily(f"fanfold_{name}", text, labels=list(labels))
    for values, value in rows:
        family.add_metric(values, value)
    return family


def one(source: Mapping[str, Any], key: str, scale: float = 1.0) -> list[Row]:
    """One unlabelled sample, or none: a value nobody has reported is absent, not 0."""
    value = number(source.get(key))
    return [] if value is None else [([], value * scale)]


def by_key(counts: object) -> list[Row]:
    return [([k], v) for k, v in list(numbers(counts).items())[:MAX_LABEL_VALUES]]


def labelled(items: Iterable[tuple[str, Mapping[str, Any]]], key: str, scale: float) -> list[Row]:
    """One sample for each of the items that reports ``key``."""
    found = ((name, number(item.get(key))) for name, item in items)
    return [([name], value * scale) for name, value in found if value is not None]
