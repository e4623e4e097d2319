"""A function that is frozen, or lives and does nothing, does not stay green."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from typing import Any

import pytest
from waiting import eventually

IDLE = "def handler(e, c): pass\n"
REPORTS_ONCE = """
import json, threading, time
import greengrasssdk
def report():
    time.sleep(0.2)
    for t in range(2):
        greengrasssdk.client("iot-data").publish(
            topic="hall/stats", payload=json.dumps({"part": "splitter", "t": t}))
threading.Thread(target=report, daemon=True).start()
def handler(e, c): pass
"""


def problems(site: Any) -> list[str]:
    port = json.loads((site.state / "core.json").read_text())["ports"]["http"]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=10) as answer:
            body = answer.read()
    except urllib.error.HTTPError as refusal:
        body = refusal.read()
    return [f"{r['subject']} {r['problem']}" for r in json.loads(body)["reasons"]]


def test_a_process_that_a_signal_stopped_shows_before_it_is_replaced(site) -> None:
    site.function("w0", IDLE, Timeout=600)
    site.start()
    eventually(lambda: site.of("w0")["state"] == "running", "running")
    os.kill(site.of("w0")["pid"], signal.SIGSTOP)

    eventually(lambda: site.of("w0")["state"] == "hung", "shown as hung")
    assert problems(site) == ["function w0 is hung: it no longer answers"]
    os.kill(site.of("w0")["pid"], signal.SIGCONT)
    eventually(lambda: site.of("w0")["state"] == "running" and not problems(site), "green again")


@pytest.mark.soak
def test_a_part_whose_reports_stop_is_hung_though_its_process_answers(site) -> None:
    site.function("splitter", REPORTS_ONCE)
    site.connect("splitter", "hall/stats", "cloud")
    site.start()
    first = eventually(lambda: site.of("splitter")["pid"], "a process")
    eventually(lambda: any("no stats" in problem for problem in problems(site)), "not ready")

    eventually(lambda: site.of("splitter")["pid"] not in (first, None), "another process")
    assert "hung: no report" in site.log("splitter")
