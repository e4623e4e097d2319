"""What the splitter's stats say of workers that an operator drained or resumed."""

from __future__ import annotations

import json

import pytest

from contract.messages import parse_control
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.localcore.draining import chosen, control, picture, seen

FUNCTIONS = [{"id": each} for each in ("splitter", "t0", "w0", "aggregator")]


def status(**workers: dict) -> dict:
    splitter = {"t": 7.0, "backlog": 5, "workers": workers}
    return {"stats": {"splitter": splitter}, "functions": FUNCTIONS}


def worker(state: str, inflight: int = 0, **more: object) -> dict:
    return {"state": state, "inflight": inflight, **more}


def left(drain: bool, **workers: dict) -> list[str]:
    found = picture(status(**workers))
    assert found is not None
    return [each.name for each in found.left(drain=drain)]


@pytest.mark.parametrize(
    ("reported", "still"),
    [
        (worker("drained", drained=True), []),
        (worker("draining", 3, drained=True), ["w0"]),
        (worker("ready", drained=False), ["w0"]),
        (worker("silent", drained=True), []),
        (worker("silent", drained=False), ["w0"]),
    ],
)
def test_drained_is_who_was_told_and_holds_nothing_even_if_it_does_not_answer(reported, still):
    assert left(True, w0=reported) == still


def test_a_stray_message_on_the_stats_topic_is_no_report():
    assert picture({"stats": {"splitter": ["?"]}}) is None
    assert picture({"stats": {"splitter": {"workers": {"w0": "?"}}}}) is None


def test_a_resumed_worker_is_done_whatever_it_holds():
    assert left(False, w0=worker("ready", 4, drained=False)) == []
    assert left(False, w0=worker("hung", drained=True)) == ["w0"]


def test_a_splitter_that_does_not_report_the_wish_shows_it_in_the_state():
    assert left(True, w0=worker("drained"), w1=worker("draining", 1)) == ["w1"]
    assert left(False, w0=worker("ready"), w1=worker("drained")) == ["w1"]


def test_without_names_all_workers_are_meant_and_a_name_counts_once():
    now = status(t0=worker("ready"), t1=worker("ready"))

    assert chosen([], now, seen(now, "hall")) == ["t0", "t1"]
    assert chosen(["t1", "t1"], now, seen(now, "hall")) == ["t1"]


@pytest.mark.parametrize(
    ("name", "why"),
    [("w9", "does not exist at this site"), ("w0", "does not get its work from the splitter")],
)
def test_who_is_not_fed_by_the_splitter_is_refused_with_those_who_are(name, why):
    now = status(t0=worker("ready"), t1=worker("ready"))
    with pytest.raises(UserError, match=f"'{name}' {why}; workers: t0, t1") as refused:
        chosen([name], now, seen(now, "hall"))

    assert refused.value.exit_code == INVALID


@pytest.mark.parametrize("stats", [{}, {"splitter": {}}, {"splitter": {"workers": {}}}])
def test_before_the_first_report_it_is_said_where_to_look(stats):
    with pytest.raises(UserError, match="fanfold logs splitter") as missing:
        seen({"stats": stats, "functions": []}, "hall")

    assert missing.value.exit_code == MISSING


def test_the_splitter_reads_the_message_that_is_sent():
    assert parse_control(json.loads(control(["w1"], drain=True))) == (True, ["w1"])
    assert parse_control(json.loads(control([], drain=False))) == (False, None)
