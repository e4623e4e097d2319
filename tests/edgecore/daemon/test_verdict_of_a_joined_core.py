"""The verdict's situations made real on a core that has joined a cloud: certificate, rights,
what comes between two deployments."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from broker_peer import Peer
from checkout import PROJECT
from credentials_provider import Provider
from jobs_cloud import ARN, JobsService, job, zipped
from joined_core import THING, Core, console, group_document
from mosquitto import Mosquitto
from own_ca import OwnCa
from prometheus_client.parser import text_string_to_metric_families
from served_files import Files, web_files
from verbs import run_verb
from waiting import eventually

from fanfold.device.interpreters import device_python
from fanfold.fleet.known import Known, fold
from fanfold.fleet.row import Site, row_of
from fanfold.rollout.health import Report

pytestmark = [
    pytest.mark.in_order,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]
HEALTH = "fanfold/hall/health"
SOON_DAYS = 20
ACL = f"""
user {THING}
topic readwrite $aws/#
topic readwrite hall/up
topic readwrite fanfold/#

user peer
topic readwrite #
topic readwrite $aws/#
"""
#: Asks for AWS credentials, and does not end when it is asked to.
STUBBORN = """
import os, signal, urllib.request
signal.signal(signal.SIGTERM, signal.SIG_IGN)
request = urllib.request.Request(
    os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
    headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
)
try:
    urllib.request.urlopen(request)
except OSError as error:
    print(error)
def h(event, context):
    return
"""
MUTE = """
def h(event, context):
    return
"""


class Joined:
    """The core, mosquitto and the credentials provider that it was joined to, and jobs for it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.ca, self.service = folder, OwnCa(), JobsService()
        self.broker = Mosquitto(folder, self.ca, acl=ACL).start()
        stack.callback(self.broker.stop)
        self.provider = Provider(folder, self.ca)
        stack.callback(self.provider.stop)
        self.provider.status, self.provider.body = 403, b'{"message":"Access Denied"}'
        self.peer = Peer(folder, self.ca, self.broker.port, self.service)
        stack.callback(self.peer.stop)
        self.files: Files = stack.enter_context(web_files())
        self.join(ends_days=SOON_DAYS)
        python = ("--python", f"python3.8={PROJECT / '.venv-device/bin/python'}")
        (folder / "core").mkdir()
        self.core = Core(folder / "core/hall", folder / f"{THING}.join", "jobs", *python)
        stack.callback(self.core.stop)

    def join(self, **life: int) -> None:
        """Its join file, with a new certificate."""
        draft = self.folder / "draft"
        draft.mkdir(exist_ok=True)
        made = self.ca.join(
            draft, THING, self.broker.port, jobs=True, leaf=self.ca.leaf(THING, **life),
            role_alias="hall-role", credentials_endpoint=f"localhost:{self.provider.port}",
        )  # fmt: skip
        made.replace(self.folder / made.name)

    def deploy(self, number: int, function: str, source: str) -> None:
        """By a job: the console, which may also send what the policy forbids, and this function."""
        document = group_document()
        variables = {"FANFOLD_HEALTH_TOPIC": HEALTH, "FANFOLD_HEALTH_EVERY_S": "1"}
        document["Functions"].append(
            {"Id": function, "FunctionArn": ARN, "FunctionConfiguration": {
                "Pinned": True, "Environment": {"Variables": variables,
                                                "Execution": {"IsolationMode": "NoContainer"}}}}
        )  # fmt: skip
        document["Lambdas"] = {
            ARN: {"FunctionName": function, "Handler": "main.h", "Runtime": "python3.8"}
        }
        [up] = [each for each in document["Subscriptions"] if each["Id"] == "up"]
        document["Subscriptions"].append({**up, "Id": "secret", "Subject": "hall/secret"})
        code = self.files.put(f"{function}.zip", zipped(main=source))
        self.service.queue(
            f"d-{number}",
            job(self.files, number, group_document=document, code=[{"arns": [ARN], **code}],
                model=None),
        )  # fmt: skip
        self.peer.publish(
            f"$aws/things/{THING}/jobs/notify-next", {"execution": {"jobId": f"d-{number}"}}
        )

    def says(self, code: str) -> dict[str, Any]:
        """The reason, once the core has it."""
        return eventually(lambda: self.core.reasons().get(code), code)


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    with ExitStack() as stack:
        yield Joined(tmp_path_factory.mktemp("hall"), stack)


def test_a_certificate_that_ends_in_some_weeks_is_said_from_the_start(hall: Joined) -> None:
    reason = hall.says("certificate_expires")

    assert (reason["subject"], reason["blocks"]) == (f"certificate of {THING}", False)
    assert f"{SOON_DAYS - 1} days" in reason["problem"] or f"{SOON_DAYS} days" in reason["problem"]
    assert "fanfold provision" in reason["remedy"]


def test_a_role_that_may_not_be_taken_is_said_once_a_function_asks(hall: Joined) -> None:
    hall.deploy(1, "stubborn", STUBBORN)

    reason = hall.says("credentials_missing")
    assert "iot:AssumeRoleWithCertificate on rolealias/hall-role" in reason["problem"]


def test_a_topic_that_the_policy_forbids_is_said_by_name(hall: Joined) -> None:
    camera = console(hall.core)
    camera.publish("hall/secret", b"1", qos=1).wait_for_publish(20)

    assert "hall/secret" in hall.says("cloud_refuses")["problem"]
    camera.disconnect()
    camera.loop_stop()


def test_command_line_metrics_cloud_and_fleet_page_say_what_the_core_says(hall: Joined) -> None:
    wanted = {"certificate_expires", "credentials_missing", "cloud_refuses"}

    def reported() -> list[Any]:
        reports = hall.peer.payloads(HEALTH)
        return [r for r in reports if {each["code"] for each in r["reasons"]} == wanted]

    told = eventually(reported, "the report to the cloud")
    environment = {**os.environ, "FANFOLD_STATE": str(hall.folder), "PYTHONPATH": str(PROJECT)}
    shown = run_verb("status", "hall", "--json", cwd=hall.folder, env=environment)
    families = text_string_to_metric_families(hall.core.ask("/metrics").decode())
    counted = {s.labels["code"] for f in families for s in f.samples
               if s.name == "fanfold_verdict_reasons" and s.value}  # fmt: skip
    report = Report(THING, "core", time.time(), told[-1])
    row = row_of(Site("hall", "iot", THING, 60), fold(Known(), [report], time.time()), None,
                 time.time())  # fmt: skip

    assert shown.returncode == 1, shown.stderr
    assert {r["code"] for r in json.loads(shown.stdout)["verdict"]["reasons"]} == wanted
    assert counted == wanted
    assert row.verdict == "degraded"
    assert {why.subject for why in row.reasons} == {
        f"certificate of {THING}",
        "credentials",
        "cloud",
    }


def test_between_two_deployments_nothing_runs_and_then_a_part_has_not_reported(
    hall: Joined,
) -> None:
    """The old group ends when its function is killed, seconds later; the new one's part is mute."""
    eventually(lambda: hall.service.executions["d-1"].status == "SUCCEEDED", "the first one runs")
    hall.deploy(2, "splitter", MUTE)

    assert hall.says("no_group")["level"] == "down"
    assert json.loads(hall.core.ask("/ready"))["ready"] is False
    assert hall.says("part_not_reported")["subject"] == "splitter"


def test_a_certificate_that_has_ended_is_said_soon_after_it_was_put_there(hall: Joined) -> None:
    hall.join(begins_days=-9, ends_days=-3)

    reason = hall.says("certificate_expired")
    assert "expired 3 days ago" in reason["problem"]
    assert "certificate_expires" not in hall.core.reasons()
    hall.join(ends_days=90)
    eventually(lambda: "certificate_expired" not in hall.core.reasons(), "a good one counts soon")
