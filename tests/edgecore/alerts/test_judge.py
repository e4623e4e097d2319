"""Each kind of rule: what makes it true, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from edgecore.alerts.ended import SETTLES_S, may_have_ended
from edgecore.alerts.judge import Evidence, judge
from edgecore.alerts.rules import KINDS, Rule, of_environment
from edgecore.alerts.windows import Windows
from edgecore.history.rows import Found, Row

NOW = 10_000.0


def row(camera: str = "cam1", status: str = "ok", label: str = "good") -> Row:
    labels = (Found(label, 0.9, 1),) if status == "ok" else ()
    return Row(t=0.0, camera=camera, seq=1, status=status, id="i", name="n", folder="", job="",
        worker="", model="", reason="", detail="", ms=None, labels=labels,
        defect=False)  # fmt: skip


def windows() -> Windows:
    """A minute ago at cam1: 20 images, 2 failed, 3 cracks. An hour ago: only cracks."""
    found = Windows()
    found.add([row(label="crack")] * 50, NOW - 3_500)
    found.add([row()] * 15 + [row(label="crack")] * 3 + [row(status="failed")] * 2, NOW - 60)
    return found


def says(when: str, status: Any = None, **given: Any) -> str | None:
    disks = {"/var/lib": 0.96, "/srv": 0.40}
    evidence = Evidence(status=status or {}, windows=windows(), now=NOW, started=NOW - 9_000,
        disks=disks, certificates={"cert.pem": 5 * 86_400.0})  # fmt: skip
    return judge(Rule(name="r", when=when, **given), evidence)


WORKER = {"functions": [{"id": "w0", "pinned": True, "state": "crash_loop"}]}
DRAINED = {"stats": {"splitter": {"workers": {"w0": {"state": "drained", "model": {"name": "m"}}}}}}
LINK = {"cloud": {"link": {"connected": False, "message": "refused"}, "spooled": 7}}

TRUE = [
    ("no_results", None, {"for_s": 59}, "no result for 60 s (limit 59 s)"),
    ("no_results", None, {"for_s": 300, "camera": "cam2"}, "no result of cam2 for 9000 s"),
    ("failed_share", None, {"above": 0.09, "at_least": 20}, "2 of 20 images failed"),
    ("label_seen", None, {"label": "crack"}, "label crack on 3 image(s) in 300 s"),
    ("label_rate", None, {"label": "crack", "above": 0.1}, "3 of 18 images"),
    ("label_rate", None, {"label": "crack", "above": 0.5, "window_s": 3600.0}, "53 of 68"),
    ("backlog", {"stats": {"splitter": {"backlog": 101}}}, {"above": 100}, "101 images"),
    ("worker_down", WORKER, {}, "function w0 keeps dying"),
    ("disk", None, {"above": 95}, "/var/lib is 96% full (limit 95 %)"),
    ("certificate", None, {"days": 14}, "cert.pem expires in 5.0 days"),
    ("cloud_link", LINK, {}, "the cloud is not reached: refused; 7 messages wait"),
]  # fmt: skip
FALSE = [
    ("no_results", None, {"for_s": 61}),
    ("no_results", DRAINED, {"for_s": 59}),
    ("failed_share", None, {"above": 0.11}),
    ("failed_share", None, {"above": 0.01, "at_least": 21}),
    ("label_seen", None, {"label": "dent"}),
    ("label_seen", None, {"label": "crack", "camera": "cam2"}),
    ("label_rate", None, {"label": "crack", "above": 0.2}),
    ("backlog", {"stats": {"splitter": {"backlog": 100}}}, {"above": 100}),
    ("backlog", {"stats": {"splitter": {"backlog": "many"}}}, {"above": 100}),
    ("worker_down", DRAINED, {}),
    ("disk", None, {"above": 97}),
    ("certificate", None, {"days": 4}),
    ("cloud_link", {"cloud": {"link": {"connected": True}}}, {}),
    ("cloud_link", {"cloud": {"spooled": 7}}, {}),
]


def test_a_label_that_a_rule_names_counts_however_many_others_there_are() -> None:
    found = Windows()
    found.watched = frozenset({"fire"})
    found.add([row(label=f"label-{n}") for n in range(500)] + [row(label="fire")], NOW)

    assert found.label("cam1", "fire", 60.0, NOW) == 1
    assert found.label("cam1", "label-499", 60.0, NOW) == 0


@pytest.mark.parametrize(("when", "status", "given", "said"), TRUE)
def test_a_rule_says_value_and_limit(when: str, status: Any, given: Any, said: str) -> None:
    assert said in (says(when, status, **given) or "")


@pytest.mark.parametrize(("when", "status", "given"), FALSE)
def test_a_rule_is_quiet_below_its_limit(when: str, status: Any, given: Any) -> None:
    assert says(when, status, **given) is None


def test_every_kind_is_shown_true_and_false() -> None:
    assert {t[0] for t in TRUE} == {f[0] for f in FALSE} == set(KINDS)


EARLY = SETTLES_S - 1
ENDED = [
    ("no_results", {}, {"camera": "cam1"}, True, EARLY),
    ("no_results", {}, {"camera": "cam2"}, False, 9_000.0),
    ("no_results", DRAINED, {"camera": "cam2"}, True, EARLY),
    ("failed_share", {}, {"window_s": 300.0}, True, 300.0),
    ("failed_share", {}, {"window_s": 300.0}, False, 299.0),
    ("label_seen", {}, {"window_s": 300.0}, True, 300.0),
    ("label_seen", {}, {"window_s": 300.0}, False, 299.0),
    ("label_rate", {}, {"window_s": 300.0}, True, 300.0),
    ("label_rate", {}, {"window_s": 300.0}, False, 299.0),
    ("backlog", {"stats": {"splitter": {"backlog": 3}}}, {}, True, EARLY),
    ("backlog", {}, {}, False, 9_000.0),
    ("worker_down", {}, {}, True, SETTLES_S),
    ("worker_down", {}, {}, False, EARLY),
    ("disk", {}, {}, True, SETTLES_S),
    ("disk", {}, {}, False, EARLY),
    ("certificate", {}, {}, True, SETTLES_S),
    ("certificate", {}, {}, False, EARLY),
    ("cloud_link", {"cloud": {"link": {"connected": True}}}, {}, True, EARLY),
    ("cloud_link", {"cloud": {"link": {"connected": None}}}, {}, False, EARLY),
]


@pytest.mark.parametrize(("when", "status", "given", "enough", "up_s"), ENDED)
def test_after_a_restart_each_kind_ends_once_enough_was_seen(
    when: str, status: Any, given: Any, enough: bool, up_s: float
) -> None:
    evidence = Evidence(status=status, windows=windows(), now=NOW, started=NOW)

    assert may_have_ended(Rule(name="r", when=when, **given), evidence, NOW - up_s) is enough


def test_every_kind_is_shown_with_enough_and_with_too_little() -> None:
    assert {e[0] for e in ENDED if e[3]} == {e[0] for e in ENDED if not e[3]} == set(KINDS)


@pytest.mark.parametrize("text", ["{", "[]", '{"rules":[{"nam":"x"}]}', '{"rules":7}'])
def test_rules_that_cannot_be_read_are_a_problem_and_no_crash(text: str) -> None:
    settings = of_environment({"FANFOLD_ALERTS": text})

    assert settings.rules == ()
    assert "FANFOLD_ALERTS" in settings.problem


def test_a_rule_of_a_later_version_is_named_and_the_others_hold() -> None:
    text = '{"rules":[{"name":"a","when":"earthquake"},{"name":"b","when":"worker_down"}]}'
    settings = of_environment({"FANFOLD_ALERTS": text})

    assert [r.name for r in settings.rules] == ["b"]
    assert "earthquake" in settings.problem
