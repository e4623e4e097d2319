from __future__ import annotations

from typing import Any

import pytest
from every import every
from hypothesis import given
from hypothesis import strategies as st

from edgecore.core.readiness import reasons_not_ready
from edgecore.core.reports import HEARTBEAT_LIMIT_S, STATS_LIMIT_S
from edgecore.web.metrics.families import families

NOW = 1_790_000_000.0


def status(**changes: Any) -> dict[str, Any]:
    worker = {"state": "ready", "model": {"name": "lite0"}}
    healthy = {
        "functions": [{"id": "w0", "pinned": True, "state": "running"}],
        "router": {"work_items": 3, "limit": 1024},
        "stats": {"splitter": {"t": NOW - 1, "workers": {"w0": worker}}, "aggregator": {"t": NOW}},
    }
    return healthy | changes


def problems(document: dict[str, Any]) -> list[str]:
    return [f"{r.subject} {r.problem}" for r in reasons_not_ready(document)]


def test_a_healthy_site_is_ready() -> None:
    assert problems(status()) == []


def test_a_group_of_somebody_else_without_stats_can_be_ready() -> None:
    assert problems(status(stats={})) == []


@pytest.mark.parametrize("state", ["starting", "backoff", "crash_loop", "stopped", "hung"])
def test_a_pinned_function_that_does_not_run_is_named(state: str) -> None:
    functions = [{"id": "w0", "pinned": True, "state": state}]

    assert problems(status(functions=functions))[0].startswith("function w0 ")


def test_an_on_demand_function_may_be_stopped() -> None:
    functions = [{"id": "f", "pinned": False, "state": "stopped"}]

    assert problems(status(functions=functions)) == []


def test_an_on_demand_function_in_a_crash_loop_is_not_ready() -> None:
    functions = [{"id": "f", "pinned": False, "state": "crash_loop"}]

    assert problems(status(functions=functions)) == [
        "function f keeps dying: it is in a crash loop"
    ]


def test_a_worker_without_a_model_is_not_ready() -> None:
    splitter = {"t": NOW, "workers": {"w0": {"state": "ready", "model": None}}}

    assert problems(status(stats={"splitter": splitter})) == ["worker w0 has no model loaded"]


def test_a_worker_that_hangs_is_not_ready_though_its_process_runs() -> None:
    splitter = {"t": NOW, "workers": {"w0": {"state": "hung", "model": {"name": "m"}}}}

    assert problems(status(stats={"splitter": splitter})) == ["worker w0 is hung and gets no work"]


def drained(*states: str) -> dict[str, Any]:
    each = {f"w{i}": {"state": s, "model": {"name": "m"}} for i, s in enumerate(states)}
    return status(stats={"splitter": {"t": NOW, "workers": each}})


def test_one_drained_worker_beside_a_working_one_is_ready() -> None:
    assert problems(drained("drained", "ready")) == []


def test_a_site_with_every_worker_drained_is_not_ready() -> None:
    assert problems(drained("drained", "draining")) == [
        "all workers are drained by the operator: images are accepted and queued"
    ]


def test_what_an_operator_wished_is_told_from_what_is_ill() -> None:
    [request] = reasons_not_ready(drained("drained"))
    [fault] = reasons_not_ready(drained("hung"))

    assert (request.requested, fault.requested) == (True, False)


def test_a_worker_whose_process_hangs_is_named_once() -> None:
    splitter = {"t": NOW, "workers": {"w0": {"state": "hung", "model": {"name": "m"}}}}
    functions = [{"id": "w0", "pinned": True, "state": "hung"}]

    assert len(problems(status(functions=functions, stats={"splitter": splitter}))) == 1


def test_a_part_that_stopped_reporting_is_not_ready() -> None:
    silence = {"stats": {"splitter": STATS_LIMIT_S + 1}}

    assert problems(status(silence_s=silence)) == [
        "splitter has sent no stats for 11 s (limit 10 s)"
    ]


def test_stats_of_a_clock_that_was_set_back_are_as_fresh_as_they_came() -> None:
    from_the_future = {"splitter": {"t": NOW + 3600, "workers": {}}}
    silence = {"stats": {"splitter": 0.5}}

    assert problems(status(stats=from_the_future, silence_s=silence)) == []


def test_a_worker_is_named_once_when_two_heartbeats_are_missing() -> None:
    splitter = {"t": NOW, "workers": {"w0": {"state": "suspect", "model": {"name": "m"}}}}
    silence = {"heartbeats": {"w0": HEARTBEAT_LIMIT_S + 0.5}}

    assert problems(status(stats={"splitter": splitter}, silence_s=silence)) == [
        "worker w0 has sent no heartbeat for 3 s (limit 2.5 s)"
    ]


@pytest.mark.parametrize("part", ["splitter", "aggregator"])
def test_a_state_volume_that_takes_nothing_is_named_with_its_folder(part: str) -> None:
    document = status()
    document["stats"][part]["state_volume"] = {
        "state": "refuses", "folder": f"/s/{part}", "detail": "database or disk is full",
    }  # fmt: skip

    assert problems(document) == [
        f"state volume of the {part} takes nothing new in /s/{part}: database or disk is full"
    ]


def test_a_full_router_refuses_messages_and_is_not_ready() -> None:
    full = {"work_items": 1024, "limit": 1024}

    assert "1024 of 1024" in problems(status(router=full))[0]


def test_every_reason_comes_at_once_and_says_what_to_do() -> None:
    functions = [{"id": f"w{n}", "pinned": True, "state": "hung"} for n in range(3)]
    reasons = reasons_not_ready(status(functions=functions))

    assert [r.subject for r in reasons] == ["function w0", "function w1", "function w2"]
    assert every(r.remedy for r in reasons)


KEYS = (
    "workers",
    "w0",
    "state",
    "model",
    "t",
    "reorder_buffer",
    "rejected",
    "backlog",
    "done",
    "name",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.sampled_from(KEYS), inner)),
)


@given(ANYTHING, ANYTHING)
def test_stray_stats_cost_their_own_numbers_and_no_more(splitter: Any, aggregator: Any) -> None:
    stray = status(stats={"splitter": splitter, "aggregator": aggregator})

    reasons_not_ready(stray)
    assert {m.name for m in families(stray)} == {m.name for m in families({})}
