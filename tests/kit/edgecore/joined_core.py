"""A core that has joined a cloud with its certificate, and a group of a console and no function."""

from __future__ import annotations

import http.client
import json
import os
import sys
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from forked_core import start_core
from paho.mqtt.enums import CallbackAPIVersion
from waiting import eventually

THING = "hall-core"
DEVICE = "arn:aws:iot:eu-central-1:123456789012:thing/hall-core-console"


class Core:
    """``group``: a file, or ``jobs``. ``more`` arguments of the core; ``environment`` of it."""

    def __init__(
        self, state: Path, join: Path, group: str = "jobs", *more: str, **environment: str
    ) -> None:
        self.state = state
        arguments = [
            "--group", group, "--state", str(state), "--join", str(join), "--ipc-port", "0",
            "--mqtt-port", "off", "--mqtt-plain-port", "0", "--http-port", "0",
            "--function-user", "root", *more,
        ]  # fmt: skip
        no_keys = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.output = (state.parent / f"{state.name}.out").open("ab")
        self.process = start_core(
            [sys.executable, "-m", "edgecore", *arguments],
            env={**no_keys, **environment}, stdout=self.output,
        )  # fmt: skip
        self.info = eventually(self._info, "core.json")

    def _info(self) -> Any:
        assert self.process.poll() is None, Path(self.output.name).read_text()
        path = self.state / "core.json"
        info = json.loads(path.read_text()) if path.exists() else {}
        return info if info.get("pid") == self.process.pid else None  # not a killed core's

    def ask(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.info["ports"]["http"], timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def status(self) -> Any:
        return json.loads(self.ask("/api/status"))

    def reasons(self) -> dict[str, dict[str, Any]]:
        """Of the verdict, by code."""
        return {reason["code"]: reason for reason in self.status()["verdict"]["reasons"]}

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(30) == 0
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
