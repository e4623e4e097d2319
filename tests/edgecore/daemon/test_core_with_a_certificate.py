"""A real core that holds nothing but a certificate, mosquitto as its cloud, jobs answered by a
third party over that broker."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from broker_peer import Peer
from jobs_cloud import JobsService, job
from mosquitto import Mosquitto
from own_ca import OwnCa
from paho.mqtt.enums import CallbackAPIVersion
from served_files import web_files
from shims import shim
from waiting import eventually

THING = "hall-core"
DEVICE = "arn:aws:iot:eu-central-1:123456789012:thing/hall-core-console"


class Core:
    def __init__(self, state: Path, join: Path, group: str = "jobs", **environment: str) -> None:
        self.state = state
        arguments = [
            "--group", group, "--state", str(state), "--join", str(join), "--ipc-port", "0",
            "--mqtt-port", "off", "--mqtt-plain-port", "0", "--http-port", "0",
            "--function-user", "root",
        ]  # fmt: skip
        no_keys = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.output = (state.parent / f"{state.name}.out").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgecore", *arguments],
            env={**no_keys, **environment}, stdout=self.output, stderr=self.output,
        )  # fmt: skip
        self.info = eventually(self._info, "core.json")

    def _info(self) -> Any:
        assert self.process.poll() is None, Path(self.output.name).read_text()
        path = self.state / "core.json"
        info = json.loads(path.read_text()) if path.exists() else {}
        return info if info.get("pid") == self.process.pid else None  # not a killed core's

    def status(self) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.info["ports"]["http"], timeout=20)
        try:
            connection.request("GET", "/api/status")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0
        self.output.close()
        assert "Traceback" not in Path(self.output.name).read_text()


def group_document() -> dict[str, Any]:
    """A console whose words go up and who hears the cloud; no function."""
    return {
        "Name": "hall", "Region": "eu-central-1",
        "Core": {
            "Id": "core", "ThingName": THING, "CertificateArn": "",
            "ThingArn": f"arn:aws:iot:eu-central-1:123456789012:thing/{THING}",
        },
        "Devices": [
            {"Id": "console", "ThingName": "hall-core-console", "ThingArn": DEVICE,
             "CertificateArn": ""},
        ],
        "Functions": [
            {
                "Id": "cloud-spooler", "FunctionArn": "arn:aws:lambda:::function:GGCloudSpooler:1",
                "FunctionConfiguration": {
                    "Environment": {"Variables": {"GG_CONFIG_STORAGE_TYPE": "FileSystem"}}
                },
            }
        ],
        "Subscriptions": [
            {"Id": "up", "Source": DEVICE, "Subject": "hall/up", "Target": "cloud"},
            {"Id": "down", "Source": "cloud", "Subject": "hall/down", "Target": DEVICE},
        ],
    }  # fmt: skip


def console(core: Core) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="hall-core-console")
    client.connect("127.0.0.1", core.info["ports"]["mqtt_plain"])
    client.loop_start()
    return client


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
        device = console(core)
        device.publish("hall/up", json.dumps({"n": 1}), qos=1).wait_for_publish(20)
        eventually(lambda: core.status()["cloud"]["spooled"] == 1, "the message is spooled")
        (tmp_path / "right").write_text("0")
        (tmp_path / "right").replace(offset)
        eventually(lambda: peer.payloads("hall/up") == [{"n": 1}], "it has arrived")
        device.loop_stop()
    finally:
        core.stop()
        peer.stop()
