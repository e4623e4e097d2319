"""How long somebody has been silent, in time in which he could have been heard."""

from __future__ import annotations

import json

from edgecore.core.observers import Observers
from edgecore.core.reports import MAX_REPORTERS, MOST_PER_TICK_S, Reports


def test_silence_grows_from_the_last_report_on() -> None:
    reports = Reports()
    reports.tick(100.0)
    reports.heard("w0")
    reports.tick(100.5)
    reports.tick(101.0)

    assert reports.silence_s() == {"w0": 1.0}
    reports.heard("w0")
    assert reports.silence_s() == {"w0": 0.0}


def test_nobody_has_been_silent_while_the_core_was_stopped() -> None:
    reports = Reports()
    reports.heard("w0")
    reports.tick(0.0)
    reports.tick(3600.0)

    assert reports.silence_s() == {"w0": MOST_PER_TICK_S}


def test_endless_names_cost_bounded_memory() -> None:
    reports = Reports()
    for number in range(10 * MAX_REPORTERS):
        reports.heard(f"w{number}")

    assert len(reports.silence_s()) == MAX_REPORTERS


def test_stats_and_heartbeats_are_heard_on_their_topics() -> None:
    observers = Observers()
    observers.see(1.0, "hall/stats", json.dumps({"part": "splitter"}).encode(), "arn")
    observers.see(1.0, "hall/heartbeat", json.dumps({"worker": "w0"}).encode(), "arn")
    observers.see(1.0, "hall/heartbeat", b"[" * 50_000, "arn")
    observers.tick(1.0)
    observers.tick(1.25)

    assert observers.silence_s() == {"stats": {"splitter": 0.25}, "heartbeats": {"w0": 0.25}}
