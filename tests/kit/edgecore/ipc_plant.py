"""A core with one function, spoken to over the IPC port by bytes."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from core_site import DEVICE_PYTHON, Site
from waiting import eventually

ROOT = "/2016-11-01"
ROUTER = "arn:aws:lambda:::function:GGRouter"
SHADOW = "arn:aws:lambda:::function:GGShadowService"
TELLS_ITS_TOKEN = """
import json, os
import greengrasssdk
names = ("MY_FUNCTION_ARN", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "GG_DAEMON_PORT")
greengrasssdk.client("iot-data").publish(
    topic="token", payload=json.dumps({name: os.environ[name] for name in names}))
def handler(event, context): pass
"""


def context_of(arn: str, subject: str, policy: str = "AllOrError") -> str:
    custom = {"source": arn, "subject": subject, "queueFullPolicy": policy}
    return base64.b64encode(json.dumps({"custom": custom}).encode()).decode()


class Caller:
    """One function's voice."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.arn = facts["MY_FUNCTION_ARN"]
        self.token = facts["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        self.port = int(facts["GG_DAEMON_PORT"])

    def publish(self, subject: str, body: bytes) -> int:
        """A whole request on a connection of its own; the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        head = {"Authorization": self.token, "X-Amz-Invocation-Type": "Event"}
        head["X-Amz-Client-Context"] = context_of(self.arn, subject)
        with contextlib.closing(connection):
            connection.request("POST", f"{ROOT}/functions/{ROUTER}", body, head)
            return connection.getresponse().status


class Plant:
    def __init__(self, site: Site) -> None:
        self.site = site
        for name in ("victim", "honest"):
            site.function(name, TELLS_ITS_TOKEN)
            site.connect(name, "token", "cloud")
            site.connect(name, "up", "cloud")
            site.connect(name, "any/stats", "cloud")
        site.start()
        told = eventually(lambda: len(site.cloud()) == 2 and site.cloud(), "both tokens")
        callers = [Caller(record["payload"]) for record in told]
        self.victim, self.honest = sorted(callers, key=lambda c: "honest" in c.arn)
        self.turns = 0

    @property
    def pid(self) -> int:
        assert self.site.process is not None
        return self.site.process.pid

    def turn(self) -> None:
        """The honest function's message reaches the cloud."""
        self.turns += 1
        assert self.honest.publish("up", json.dumps({"turn": self.turns}).encode()) == 200
        expected = {"turn": self.turns}
        eventually(lambda: expected in self.arrived(), str(expected))

    def arrived(self) -> list[Any]:
        """Payloads in the cloud; none while a line of it is still being written."""
        with contextlib.suppress(ValueError):
            return [record.get("payload") for record in self.site.cloud()]
        return []

    def log(self) -> str:
        return (self.site.folder / "core.out").read_text()


@contextlib.contextmanager
def running_plant(folder: Path) -> Iterator[Plant]:
    if not DEVICE_PYTHON.exists():
        pytest.skip("no .venv-device: run `make setup`")
    site = Site(folder)
    try:
        yield Plant(site)
        assert site.stop() == 0
    finally:
        site.stop()


@contextlib.contextmanager
def without_a_traceback(plant: Plant) -> Iterator[Plant]:
    said = len(plant.log())
    yield plant
    new = plant.log()[said:]
    assert "Traceback" not in new
    assert "internal error" not in new
