"""The names of ``/metrics`` against the Prometheus conventions, as ``promtool check metrics``."""

from __future__ import annotations

import re

import pytest
from every import every
from prometheus_client.parser import text_string_to_metric_families
from sample_status import STATUS

from edgecore.web.metrics.families import FUNCTION_STATES
from edgecore.web.metrics.registry import MAX_STREAMS, Metrics

UNITS = ("seconds", "bytes", "images", "items", "messages", "records", "total", "info", "ratio")
NOT_BASE = re.compile(r"_(ms|milliseconds|minutes|kb|kilobytes|mb|megabytes|percent)(_|$)")
COUNTED = ("checks", "state", "ready", "credits", "clients", "verdict", "reasons")
"""Gauges that are a plain number of what their name says."""


def rendered(metrics: Metrics) -> dict[str, object]:
    text = metrics.render().decode()
    return {f.name: f for f in text_string_to_metric_families(text)}


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = metrics.render().decode()
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for f in text_string_to_metric_families(text)
        for s in f.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics(lambda: STATUS)
    made.observe("cam1", {"ok": 1}, {"inference": [15.8], "total": [50.0]})
    return made


def ours(metrics: Metrics) -> list[object]:
    return [f for name, f in rendered(metrics).items() if name.startswith("fanfold_")]


def test_every_family_carries_the_prefix_or_is_the_process_itself(metrics: Metrics) -> None:
    names = list(rendered(metrics))

    assert every(n.startswith(("fanfold_", "process_")) for n in names)


def test_names_are_lower_case_words_in_base_units(metrics: Metrics) -> None:
    for family in ours(metrics):
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", family.name), family.name
        assert not NOT_BASE.search(family.name), family.name


def test_every_gauge_and_histogram_ends_in_its_unit(metrics: Metrics) -> None:
    for family in ours(metrics):
        if family.type in {"gauge", "histogram"}:
            assert family.name.endswith((*UNITS, *COUNTED)), family.name


def test_only_counters_end_in_total(metrics: Metrics) -> None:
    for family in ours(metrics):
        for sample in family.samples:
            is_total = sample.name.endswith("_total")
            assert is_total == (family.type == "counter") or "_created" in sample.name


def test_every_family_has_help_and_it_is_a_sentence(metrics: Metrics) -> None:
    for family in ours(metrics):
        assert len(family.documentation) > 10, family.name
        assert family.documentation.endswith("."), family.name


def test_label_names_do_not_repeat_reserved_ones(metrics: Metrics) -> None:
    reserved = {"job", "instance", "le", "quantile", "type"}
    for family in ours(metrics):
        if family.type != "histogram":
            assert not reserved & {label for s in family.samples for label in s.labels}


def test_milliseconds_and_kilobytes_become_seconds_and_bytes(metrics: Metrics) -> None:
    found = samples(metrics)
    w0, worker = frozenset({("function", "w0")}), frozenset({("worker", "w0")})

    assert found["fanfold_function_queue_age_seconds", w0] == 1.5
    assert found["fanfold_function_resident_memory_bytes", w0] == 2048
    assert found["fanfold_worker_busy_seconds", worker] == 0.25


def test_a_function_is_in_exactly_one_state(metrics: Metrics) -> None:
    states = {
        dict(labels)["state"]: value
        for (name, labels), value in samples(metrics).items()
        if name == "fanfold_function_state"
    }

    assert set(states) == set(FUNCTION_STATES)
    assert [s for s, value in states.items() if value] == ["hung"]


def test_stage_times_land_in_the_histogram_in_seconds(metrics: Metrics) -> None:
    found = samples(metrics)
    inference = frozenset({("stage", "inference")})

    assert found["fanfold_stage_duration_seconds_count", inference] == 1
    assert found["fanfold_stage_duration_seconds_sum", inference] == pytest.approx(0.0158)
    assert found["fanfold_image_duration_seconds_sum", frozenset()] == pytest.approx(0.05)


def test_a_thousand_streams_cost_a_bounded_number_of_series() -> None:
    metrics = Metrics(dict)
    for n in range(1000):
        metrics.observe(f"cam{n}", {"ok": 1}, {})

    found = {k: v for k, v in samples(metrics).items() if k[0] == "fanfold_images_total"}
    other = frozenset({("stream", "other"), ("status", "ok")})
    assert len(found) == MAX_STREAMS + 1
    assert found["fanfold_images_total", other] == 1000 - MAX_STREAMS


def test_a_gap_is_not_counted_as_an_image() -> None:
    metrics = Metrics(dict)
    metrics.observe("cam1", {"gap": 1}, {})

    assert not [k for k in samples(metrics) if k[0] == "fanfold_images_total"]


def test_what_nobody_has_reported_is_absent_rather_than_zero() -> None:
    names = {name for name, _ in samples(Metrics(dict))}

    assert "fanfold_splitter_accepted_images_total" not in names
    assert "fanfold_cloud_spooled_messages" not in names
