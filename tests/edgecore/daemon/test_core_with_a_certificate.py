"""A real core that holds nothing but a certificate, mosquitto as its cloud, jobs answered by a
third party over that broker."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker_peer import Peer
from jobs_cloud import JobsService, job
from joined_core import THING, Core, console, group_document
from mosquitto import Mosquitto
from own_ca import OwnCa
from served_files import web_files
from shims import shim
from waiting import eventually


@pytest.fixture
def broker(tmp_path: Path, ca: OwnCa) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path, ca)
    yield one
    one.stop()


@pytest.fixture(scope="session")
def ca() -> OwnCa:
    return OwnCa()


def test_a_core_starts_without_a_cloud_says_so_and_sends_what_it_spooled_when_there_is_one(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto
) -> None:
    (tmp_path / "group.json").write_text(json.dumps(group_document()))
    join = ca.join(tmp_path, THING, broker.port)
    core = Core(tmp_path / "core", join, str(tmp_path / "group.json"))
    try:
        cloud = core.status()["cloud"]
        assert cloud["link"]["connected"] is False
        eventually(lambda: "nobody listens" in (core.status()["cloud"].get("last_error") or ""),
            "the reason in the status")  # fmt: skip
        assert any("nobody listens" in finding for finding in core.status()["findings"])
        device = console(core)
        device.publish("hall/up", json.dumps({"n": 1}), qos=1).wait_for_publish(20)
        eventually(lambda: core.status()["cloud"]["spooled"] == 1, "the message is spooled")
        broker.start()
        peer = Peer(tmp_path, ca, broker.port)
        eventually(lambda: peer.payloads("hall/up") == [{"n": 1}], "it has arrived")

        heard: list[bytes] = []
        device.on_message = lambda _c, _u, message: heard.append(message.payload)
        device.subscribe("#", qos=1)
        eventually(lambda: core.status()["cloud"]["from_cloud"]["filters"], "subscribed")
        peer.publish("hall/other", {"n": 3})
        eventually(lambda: peer.publish("hall/down", {"n": 2}) or heard, "the cloud is heard")
        assert set(heard) == {b'{"n": 2}'}, "and nothing that the group does not route"
        peer.stop()
        device.loop_stop()
    finally:
        core.stop()


def test_a_group_comes_by_a_job_and_a_kill_in_its_trial_changes_nothing(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto
) -> None:
    broker.start()
    service = JobsService()
    peer = Peer(tmp_path, ca, broker.port, service)
    join = ca.join(tmp_path, THING, broker.port, jobs=True)
    with web_files() as files:
        core = Core(tmp_path / "core", join)
        try:
            first = core.status()
            assert first["group"]["deployment"] == "waiting-for-a-job"
            assert "waits_for_a_job" in [r["code"] for r in first["verdict"]["reasons"]]
            eventually(lambda: core.status()["cloud"]["link"]["connected"], "connected")
            document = job(files, 1, group_document=group_document(), code=[], model=None)
            one = service.queue("d-1", document)
            peer.publish(f"$aws/things/{THING}/jobs/notify-next", {"execution": {"jobId": "d-1"}})
            eventually(lambda: core.status()["group"]["deployment"] == "job-d-1-1", "applied")
            core.process.kill()
            core.process.wait()
            core.output.close()
            core = Core(tmp_path / "core", join)
            eventually(lambda: one.status == "SUCCEEDED", "the job is told")
            assert core.status()["group"]["deployment"] == "job-d-1-1"
            assert [status for status, _ in one.history].count("SUCCEEDED") == 1
            last = eventually(lambda: core.status()["cloud"]["jobs"]["last"], "ended")
            assert last["job_id"] == "d-1"
        finally:
            core.stop()
            peer.stop()


def test_a_core_that_waits_for_jobs_needs_to_know_whose(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgecore", "--group", "jobs", "--state", str(tmp_path / "s")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 3
    assert "--join" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_join_file_that_is_gone_stops_no_core_that_has_a_group(tmp_path: Path, ca: OwnCa) -> None:
    (tmp_path / "group.json").write_text(json.dumps(group_document()))
    core = Core(tmp_path / "core", tmp_path / "nowhere.join", str(tmp_path / "group.json"))
    try:
        eventually(lambda: core.status()["cloud"]["link"]["problem"] == "identity", "said")
    finally:
        core.stop()


def test_a_core_whose_clock_stands_in_1970_says_so_spools_and_sends_once_it_is_set(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto
) -> None:
    broker.start()
    peer = Peer(tmp_path, ca, broker.port)
    (tmp_path / "group.json").write_text(json.dumps(group_document()))
    offset = tmp_path / "offset"
    offset.write_text(str(86_400 - int(time.time())))
    core = Core(
        tmp_path / "core", ca.join(tmp_path, THING, broker.port), str(tmp_path / "group.json"),
        LD_PRELOAD=str(shim("clock")), CLOCK_OFFSET_FILE=str(offset),
    )  # fmt: skip
    try:
        problem = eventually(lambda: core.status()["cloud"]["link"]["message"], "the reason")
        assert "1970-01-0" in problem
        assert core.status()["cloud"]["link"]["problem"] == "clock"
        reasons = core.reasons()
        assert "1970-01-0" in reasons["clock_wrong"]["problem"]
        assert "cloud_unreachable" not in reasons, "one cause is one reason"
        device = console(core)
        device.publish("hall/up", json.dumps({"n": 1}), qos=1).wait_for_publish(20)
        eventually(lambda: core.status()["cloud"]["spooled"] == 1, "the message is spooled")
        (tmp_path / "right").write_text("0")
        (tmp_path / "right").replace(offset)
        eventually(lambda: peer.payloads("hall/up") == [{"n": 1}], "it has arrived")
        assert "clock_wrong" not in core.reasons()
        device.loop_stop()
    finally:
        core.stop()
        peer.stop()
