"""Alerts over a restart of the core: on at once, told once, and ended when they ended."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from edgecore.alerts import notifier as notifier_module
from edgecore.alerts.alert_states import Notice
from edgecore.alerts.channel import MAX_AGE_S
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


def webhook(
    answers: list[str], got: list[str], monkeypatch: Any
) -> tuple[AlertSettings, threading.Event]:
    """A way that refuses while ``answers`` has something to say; the event: it was asked."""
    asked = threading.Event()

    def send(notice: Notice) -> None:
        asked.set()
        if answers:
            raise CannotSend(answers[0])
        got.append(f"{notice.kind} {notice.text.split(':')[0]}")

    monkeypatch.setitem(SENDERS, "webhook", lambda *_of_site: send)
    return AlertSettings(rules=(FAILS,), to={"webhook": {}}), asked


def test_that_an_alert_has_ended_is_told_after_a_restart_if_it_was_not_before(
    tmp_path: Path, monkeypatch: Any
) -> None:
    clock = Clock()
    monkeypatch.setattr(notifier_module, "time", clock)
    answers, got = ["webhook: refused"], list[str]()
    settings, asked = webhook(answers, got, monkeypatch)
    first = Core(tmp_path)
    first.notifier.show(settings, "demo", "demo-core")
    first.fail(20)
    first.look()
    clock.now += 306
    first.look()
    assert asked.wait(10)
    first.notifier.close()
    Core(tmp_path).notifier.acknowledge("images-fail", "")  # a start without a group forgets none

    answers.clear()
    second = Core(tmp_path)
    second.notifier.show(settings, "demo", "demo-core")
    eventually(lambda: len(got) == 2, "both arrived")
    second.look()
    third = Core(tmp_path)
    third.notifier.show(settings, "demo", "demo-core")

    said = "20 of 20 images failed in 300 s"
    assert got == [f"on {said}", f"ended {said}"]
    assert third.notifier.status()["channels"][0]["waiting"] == 0


def test_an_end_that_waited_for_longer_than_a_day_over_a_restart_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: Any
) -> None:
    clock = Clock()
    monkeypatch.setattr(notifier_module, "time", clock)
    answers, got = ["webhook: refused"], list[str]()
    settings, _ = webhook(answers, got, monkeypatch)
    first = Core(tmp_path)
    first.notifier.show(settings, "demo", "demo-core")
    first.fail(20)
    first.look()
    clock.now += 306
    first.look()
    first.notifier.close()
    clock.now += MAX_AGE_S + 1

    answers.clear()
    second = Core(tmp_path)
    second.notifier.show(settings, "demo", "demo-core")
    status = second.notifier.status
    eventually(lambda: status()["channels"][0]["waiting"] == 0, "nothing waits")

    assert status()["channels"][0]["dropped"] == 2
    assert got == []


def test_an_end_whose_way_the_group_no_longer_has_is_said_to_be_dropped(
    tmp_path: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    monkeypatch.setattr(notifier_module, "time", clock)
    settings, _ = webhook(["webhook: refused"], [], monkeypatch)
    first = Core(tmp_path)
    first.notifier.show(settings, "demo", "demo-core")
    first.fail(20)
    first.look()
    clock.now += 306
    first.look()
    first.notifier.close()

    Core(tmp_path, FAILS)

    assert "2 message(s) of ended alerts that waited for webhook are dropped" in caplog.text


@pytest.mark.parametrize("kept", ["[]", "7", '{"v":2}', '{"v":2,"on":{},"told":7}',
    '{"ended":{"mail":[{"kind":"shouted"}]}}', '{"ended":{"mail":7}}'])  # fmt: skip
def test_a_file_that_this_core_did_not_write_begins_anew_and_is_said(
    tmp_path: Path, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / notifier_module.FILE).write_text(kept)

    assert Core(tmp_path, FAILS).look() == []
    assert "alerts begin anew" in caplog.text


DRAINED = {"stats": {"splitter": {"workers": {"w0": {"state": "drained"}}}}}
SILENT = Rule(name="silent", when="no_results", for_s=300.0, cool_down_s=600)


def test_a_site_that_its_operator_drained_calls_nobody_nor_at_once_when_it_works_again(
    tmp_path: Path, monkeypatch: Any
) -> None:
    clock = Clock()
    monkeypatch.setattr(notifier_module, "time", clock)
    core = Core(tmp_path, SILENT)

    def told(seconds: int, status: Any) -> list[str]:
        for _ in range(seconds):
            clock.now += 1
            core.notifier.step(status, {}, {})
        said, core.told = core.told, []
        return said

    assert told(1_000, DRAINED) == []
    assert told(299, {}) == []
    assert told(2, {}) == ["silent is on: no result for 300 s (limit 300 s)"]
    assert told(1, DRAINED) == ["silent has ended: no result for 301 s (limit 300 s)"]
