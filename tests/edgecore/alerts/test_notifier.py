"""Alerts over a restart of the core: on at once, told once, and ended when they ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgecore.alerts import notifier as notifier_module
from edgecore.alerts.notifier import Notifier
from edgecore.alerts.rules import AlertSettings, Rule
from edgecore.alerts.senders import SENDERS, CannotSend
from edgecore.history.rows import Row

FAILS = Rule(name="images-fail", when="failed_share", above=0.05, window_s=300.0, cool_down_s=600)


class Clock:
    """``time`` of the notifier, moved by the test."""

    def __init__(self) -> None:
        self.now = 10_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_790_000_000.0 + self.now


class Core:
    """A core's notifier with one rule, and what it told people."""

    def __init__(self, state: Path, *rules: Rule) -> None:
        self.told: list[str] = []
        self.notifier = Notifier(state, lambda rule, text, _who: self.told.append(f"{rule} {text}"))
        if rules:
            self.notifier.show(AlertSettings(rules=rules), "demo", "demo-core")

    def look(self) -> list[dict[str, Any]]:
        self.notifier.step({}, {}, {})
        alerts: list[dict[str, Any]] = self.notifier.status()["alerts"]
        return alerts

    def fail(self, count: int) -> None:
        row = Row(t=0.0, camera="cam1", seq=1, status="failed", id="i", name="n", folder="",
            job="", worker="", model="", reason="", detail="", ms=None, labels=(),
            defect=False)  # fmt: skip
        self.notifier.observe([row] * count)


def test_an_alert_over_a_window_is_on_after_a_restart_and_ends_after_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    clock = Clock()
    monkeypatch.setattr(notifier_module, "time", clock)
    first = Core(tmp_path, FAILS)
    first.fail(20)
    since = first.look()[0]["since"]
    clock.now += 30

    second = Core(tmp_path, FAILS)
    (shown,) = second.notifier.status()["alerts"]
    assert (shown["state"], shown["unconfirmed"], shown["since"]) == ("on", True, since)
    clock.now += 299
    assert second.look() == [shown]
    clock.now += 1
    assert second.look() == []

    assert first.told == ["images-fail is on: 20 of 20 images failed in 300 s: 100.0% (limit 5.0%)"]
    assert [said.split(":")[0] for said in second.told] == ["images-fail has ended"]


def test_an_alert_that_lasts_over_a_restart_is_told_once(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(notifier_module, "time", Clock())
    first = Core(tmp_path, FAILS)
    first.fail(20)
    first.look()

    second = Core(tmp_path, FAILS)
    second.look()
    second.fail(30)
    (shown,) = second.look()

    assert not shown["unconfirmed"]
    assert shown["text"].startswith("30 of 30 images failed")
    assert second.told == []


def test_what_reached_nobody_before_a_restart_is_told_after_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(notifier_module, "time", Clock())

    def refuse(_notice: Any) -> None:
        raise CannotSend("webhook: refused")

    monkeypatch.setitem(SENDERS, "webhook", lambda *_of_site: refuse)
    first = Core(tmp_path)
    first.notifier.show(AlertSettings(rules=(FAILS,), to={"webhook": {}}), "demo", "demo-core")
    first.fail(20)
    first.look()
    first.notifier.close()
    Core(tmp_path, FAILS).look()

    second = Core(tmp_path, FAILS)
    second.look()
    assert second.told == []
    second.fail(30)
    second.look()
    second.look()

    assert [said.split(":")[0] for said in second.told] == ["images-fail is still on"]


def test_a_core_without_a_group_yet_forgets_no_alert(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(notifier_module, "time", Clock())
    first = Core(tmp_path, FAILS)
    first.fail(20)
    first.look()

    second = Core(tmp_path)

    assert [alert["state"] for alert in second.look()] == ["on"]
