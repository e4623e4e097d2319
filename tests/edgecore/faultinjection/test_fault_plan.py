"""The fault plan: what a file may say, what the plan then does, the same each time."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from every import every

from edgecore.core.options import CoreError
from edgecore.faultinjection import FaultPlan, FaultSchedule, FaultySink, read_plan
from edgecore.uplink.sinks import Unreachable


def _written(folder: Path, text: str) -> Path:
    path = folder / "faults.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("messages: [{drop: 1.5}]", "messages.0.drop"),
        ("messages: [{drop: 0.6, delay: 0.6}]", "the limit is 1"),
        ("mesages: []", "mesages"),
        ("cloud: {down: [[5, 3]]}", "ends before it starts"),
        ("v: 2", "v:"),
        ("messages: [{topic: a/#/b}]", "whole last level"),
        ("a: [", "not YAML"),
        ("- 1", "docs/spec/fault-plan.md"),
    ],
)
def test_a_wrong_plan_is_refused_with_the_entry_that_is_wrong(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(CoreError, match=words) as caught:
        read_plan(_written(tmp_path, text))
    assert caught.value.exit_code == 2


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CoreError, match=r"nothing\.yaml"):
        read_plan(tmp_path / "nothing.yaml")


def _kinds(plan: FaultPlan, topic: str, count: int) -> list[str | None]:
    schedule = FaultSchedule(plan)
    actions = [schedule("router.before_enqueue", {"topic": topic}) for _ in range(count)]
    return [a.kind if a else None for a in actions]


MIXED = FaultPlan.model_validate(
    {
        "seed": 5,
        "messages": [
            {"topic": "s/work/+", "drop": 0.1, "duplicate": 0.1, "delay": 0.1, "refuse": 0.1},
            {"topic": "s/#"},
        ],
    }
)


def test_the_same_seed_meets_the_same_messages() -> None:
    assert _kinds(MIXED, "s/work/w0", 500) == _kinds(MIXED, "s/work/w0", 500)
    other = MIXED.model_copy(update={"seed": 6})
    assert _kinds(MIXED, "s/work/w0", 500) != _kinds(other, "s/work/w0", 500)


def test_each_kind_meets_about_its_share() -> None:
    counts = Counter(_kinds(MIXED, "s/work/w0", 10_000))
    assert every(800 < counts[kind] < 1200 for kind in ("drop", "duplicate", "delay", "refuse"))


def test_topics_that_no_entry_names_or_a_clean_one_pass() -> None:
    assert set(_kinds(MIXED, "s/done", 100)) == {None}
    assert set(_kinds(MIXED, "other", 100)) == {None}


class Supervisor:
    """Two functions with one worker each; signals are kept."""

    def __init__(self) -> None:
        self.signals: list[tuple[str, int]] = []
        self.runners: dict[str, Any] = {name: self._runner(name) for name in ("w0", "splitter")}

    def _runner(self, name: str) -> Any:
        worker = SimpleNamespace(
            name=f"{name}-1", pid=1, signal_group=lambda n: self.signals.append((name, n))
        )
        return SimpleNamespace(function=SimpleNamespace(id=name), workers={worker.name: worker})


def test_functions_are_killed_and_frozen_at_their_times_and_nobody_else() -> None:
    now = [0.0]
    plan = FaultPlan.model_validate(
        {"functions": [{"function": "w*", "kill_at_s": [1, 2], "freeze_at_s": [3]}]}
    )
    schedule, supervisor = FaultSchedule(plan, clock=lambda: now[0]), Supervisor()
    for now[0] in (0.5, 1.0, 1.5, 2.5, 3.0, 9.0):
        schedule("supervisor.tick", {"supervisor": supervisor})
    assert supervisor.signals == [("w0", signal.SIGKILL)] * 2 + [("w0", signal.SIGSTOP)]


def test_random_kills_come_at_about_their_rate() -> None:
    now = [0.0]
    plan = FaultPlan.model_validate({"functions": [{"kill_every_s": 2}]})
    schedule, supervisor = FaultSchedule(plan, clock=lambda: now[0]), Supervisor()
    now[0] = 2000.0
    schedule("supervisor.tick", {"supervisor": supervisor})
    assert 850 < len(supervisor.signals) < 1150


def test_the_core_kills_itself_when_told() -> None:
    now, killed = [0.0], []
    plan = FaultPlan.model_validate({"core": {"kill_at_s": [5]}})
    schedule = FaultSchedule(plan, clock=lambda: now[0], kill=lambda _pid, n: killed.append(n))
    schedule("supervisor.tick", {"supervisor": Supervisor()})
    assert killed == []
    now[0] = 5.0
    schedule("supervisor.tick", {"supervisor": Supervisor()})
    assert killed == [signal.SIGKILL]


class Taker:
    name, max_messages = "taker", 8

    def __init__(self) -> None:
        self.calls = 0

    async def deliver(self, messages: Any) -> int:
        self.calls += 1
        return len(messages)

    async def close(self) -> None: ...


def _delivers(link: FaultySink) -> bool:
    try:
        asyncio.run(link.deliver([]))
    except Unreachable:
        return False
    return True


def test_the_link_is_down_in_its_spans_and_flaps_in_its_rhythm() -> None:
    now = [0.0]
    plan = {"cloud": {"down": [[10, 12]], "flapping": {"up_s": 3, "down_s": 1}}}
    link = FaultySink(Taker(), FaultPlan.model_validate(plan), clock=lambda: now[0])
    up = []
    for now[0] in (0.0, 2.9, 3.0, 4.0, 10.0, 12.0):
        up.append(_delivers(link))
    assert up == [True, True, False, True, False, True]


def test_a_lost_acknowledgement_is_of_something_taken() -> None:
    taker = Taker()
    link = FaultySink(taker, FaultPlan.model_validate({"cloud": {"ack_lost": 1}}))
    assert not _delivers(link)
    assert taker.calls == 1
