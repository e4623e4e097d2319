"""`fanfold drain` on a real core whose model takes its time."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest
from every import every
from pydantic import TypeAdapter
from real_core import RealCore

import fanfold.verbs.drain as verb
from edgecore.people.audit import AuditLog
from fanfold.common.errors import UserError
from fanfold.device.interpreters import device_python
from fanfold.localcore.running import person
from fanfold.reference.answers import ANSWERS

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"), wait_ms=2000)
    core.write()
    core.start()
    yield core
    core.stop()


@pytest.fixture
def ask(hall: RealCore, fanfold, monkeypatch):
    """One command against that core; afterwards its workers have work again."""
    monkeypatch.setenv("FANFOLD_STATE", str(hall.folder / "s"))
    hall.eventually(lambda: hall.worker("w1")["state"] == "ready", "both workers are heard")
    yield fanfold
    assert fanfold("drain", "--resume").code == 0
    hall.eventually(lambda: backlog(hall) == 0, "all images are done")


def backlog(hall: RealCore) -> int:
    return hall.status()["stats"]["splitter"]["backlog"]


def send(hall: RealCore, times: int) -> None:
    hall.fanfold("send", "photos", "--site", "hall", "--camera", "left", "--repeat", str(times))


def test_who_started_the_core_is_in_its_audit_log(hall):
    acts = AuditLog(hall.folder / "s/core/hall").newest(100)
    started = [act for act in acts if act["what"] == "run"]

    assert [(act["who"], act["from"], act["result"]) for act in started] == [
        (f"local:{person()}", "command line", "done")
    ]
    assert started[0]["detail"]["pid"] == hall.info["pid"]
    assert started[0]["detail"]["group"].endswith("planned-group.json")


def test_a_core_that_did_not_come_up_is_in_its_audit_log(hall):
    box = RealCore(hall.folder.with_name("second"), port=hall.port)
    box.folder.mkdir()
    box.write()
    with pytest.raises(AssertionError, match="ended with exit status"):
        box.start()

    (act,) = AuditLog(box.folder / "s/core/hall").newest(10)
    assert (act["what"], act["result"]) == ("run", "failed")
    assert str(hall.port) in act["said"]


def test_a_worker_is_drained_when_it_holds_nothing_and_the_other_does_its_work(hall, ask):
    send(hall, 1)
    answer = json.loads(ask("drain", "w1", "--json").out)
    done = hall.worker("w1")["done"]
    send(hall, 1)

    TypeAdapter(ANSWERS["drain"]).validate_python(answer)
    assert answer["done"]
    assert answer["workers"] == [{"name": "w1", "state": "drained", "inflight": 0, "drained": True}]
    hall.eventually(lambda: backlog(hall) == 0, "the other does all")
    assert hall.worker("w1")["done"] == done
    assert "drained: w1 (" in ask("status").out


def test_a_drain_stands_on_the_event_timeline_with_who_did_it(hall, ask):
    assert ask("drain", "w1").code == 0

    def told() -> bool:
        events = json.loads(hall.ask("/api/history/events")[1])["events"]
        wanted = ("w1", "drained", f"local:{person()}")
        return wanted in [(e["subject"], e["text"], e["who"]) for e in events]

    hall.eventually(told, "the drain is an event")


def test_with_all_drained_images_wait_until_they_are_resumed(hall, ask):
    send(hall, 2)
    drained = ask("drain")

    assert drained.code == 0
    assert "no new work for w0 w1" in drained.err
    send(hall, 1)
    hall.eventually(lambda: backlog(hall) >= 3, "what comes now waits")
    assert ask("drain", "--resume").code == 0
    hall.eventually(lambda: backlog(hall) == 0, "all images are done")


def test_when_the_wait_runs_out_it_says_what_is_in_progress_and_that_draining_continues(hall, ask):
    send(hall, 2)
    said = ask("drain", "--wait", "0.1", "--json")

    assert said.code == 1
    assert "in progress). The drain goes on; wait again: fanfold drain w" in said.err
    assert json.loads(said.out)["done"] is False
    assert ask("drain", "w0", "w1").code == 0


def test_without_a_wait_it_returns_when_the_splitter_has_taken_it(hall, ask):
    answer = ask("drain", "--wait", "0", "--json")

    assert answer.code == 0
    assert every(worker["drained"] for worker in json.loads(answer.out)["workers"])


@pytest.mark.parametrize("name", ["w9", "aggregator"])
def test_a_worker_that_is_none_is_refused_with_those_that_are(hall, ask, name):
    said = ask("drain", name)

    assert said.code == 2
    assert "w0, w1" in said.err


def test_a_splitter_that_says_nothing_is_named_with_where_to_look(hall, ask, monkeypatch):
    monkeypatch.setattr(verb, "TAKEN_WITHIN_S", 2.5)
    pid = hall.function("splitter")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        said = ask("drain", "w0")
    finally:
        os.kill(pid, signal.SIGCONT)

    assert said.code == 1
    assert "fanfold logs splitter" in said.err


class Deaf:
    """Stands for a core whose group passes nothing on to the splitter: it reports, and stays."""

    def __init__(self) -> None:
        self.t = 0.0

    def get(self, _path: str) -> dict:
        self.t += 1
        worker = {"state": "ready", "drained": False, "inflight": 0}
        return {"stats": {"splitter": {"t": self.t, "workers": {"w0": worker}}}}


def test_a_splitter_that_reports_and_does_not_act_points_at_the_group(monkeypatch):
    monkeypatch.setattr(verb, "TAKEN_WITHIN_S", 0.5)

    with pytest.raises(
        UserError, match=r"of hall did not act .* within 0\.5 s: the group has no subscription"
    ):
        verb._taken(verb._View(Deaf(), ["w0"], 0.0), "hall", drain=True)
