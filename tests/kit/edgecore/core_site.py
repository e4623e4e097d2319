"""A core as its own process, and group documents small enough to read in a test."""

from __future__ import annotations

import json
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from checkout import PROJECT
from forked_core import CoreProcess, start_core
from waiting import eventually

DEVICE_PYTHON = PROJECT / ".venv-device" / "bin" / "python"
ACCOUNT = "123456789012"
DEADLINE_S = 30.0


def arn_of(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}:live"


class Site:
    """A folder with a group document that grows function by function."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        thing = f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/t-core"
        certificate = f"arn:aws:iot:us-east-1:{ACCOUNT}:cert/" + "0" * 64
        self.document: dict[str, Any] = {
            "Name": "t",
            "Region": "us-east-1",
            "Account": ACCOUNT,
            "Core": {
                "Id": "core",
                "ThingName": "t-core",
                "ThingArn": thing,
                "CertificateArn": certificate,
                "SyncShadow": False,
            },
            "Devices": [],
            "Functions": [],
            "Resources": [],
            "Subscriptions": [],
            "Loggers": [],
            "Lambdas": {},
        }
        self.process: CoreProcess | None = None
        self.prefix: list[str] = []  # in front of the core's command

    def function(self, name: str, source: str, **configuration: Any) -> None:
        code = self.folder / "code" / name
        code.mkdir(parents=True, exist_ok=True)
        (code / "main.py").write_text(source)
        execution = {"Execution": {"IsolationMode": configuration.pop("isolation", "NoContainer")}}
        variables = configuration.pop("variables", {})
        settings = {"Pinned": True, "Timeout": 3, "EncodingType": "json", **configuration}
        settings["Environment"] = {"Variables": variables, **execution}
        self.document["Functions"].append(
            {"Id": name, "FunctionArn": arn_of(name), "FunctionConfiguration": settings}
        )
        self.document["Lambdas"][arn_of(name)] = {
            "FunctionName": name,
            "Handler": "main.handler",
            "Runtime": "python3.8",
            "Code": str(code),
        }

    def connect(self, source: str, subject: str, target: str) -> None:
        names = self.document["Lambdas"]
        ends = [arn_of(end) if arn_of(end) in names else end for end in (source, target)]
        subscription = {"Source": ends[0], "Subject": subject, "Target": ends[1]}
        subscription["Id"] = str(len(self.document["Subscriptions"]))
        self.document["Subscriptions"].append(subscription)

    def start(self, *arguments: str) -> None:
        path = self.folder / "group-document.json"
        path.write_text(json.dumps(self.document))
        ports = ["--ipc-port", "0", "--mqtt-port", "off", "--http-port", "0"]
        command = [sys.executable, "-m", "edgecore", "--group", str(path), *ports]
        command += ["--state", str(self.state), "--python", f"python3.8={DEVICE_PYTHON}"]
        command = [*self.prefix, *command, *arguments]
        with (self.folder / "core.out").open("wb") as log:
            self.process = start_core(command, cwd=PROJECT, stdout=log)
        eventually(self._is_up, f"core up: {(self.folder / 'core.out').read_text()}")

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail((self.folder / "core.out").read_text())
        return (self.state / "core.json").exists()

    def status(self) -> dict[str, Any]:
        port = json.loads((self.state / "core.json").read_text())["ports"]["http"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=10) as answer:
            return json.loads(answer.read())

    def of(self, name: str) -> dict[str, Any]:
        return next(f for f in self.status()["functions"] if f["id"] == name)

    def cloud(self) -> list[dict[str, Any]]:
        """What reached the local cloud sink, in order."""
        lines = [
            line
            for file in sorted((self.state / "cloud").glob("*.jsonl"))
            for line in file.read_text().splitlines()
        ]
        return [json.loads(line) for line in lines]

    def log(self, name: str) -> str:
        path = self.state / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)


@contextmanager
def device_site(folder: Path) -> Iterator[Site]:
    """A site whose core ends with the block; without the device's interpreter a skipped test."""
    from edgecore.supervisor.interpreters import probe

    if not DEVICE_PYTHON.exists() or probe(str(DEVICE_PYTHON)) is None:
        pytest.skip("no .venv-device: run `make setup`")
    made = Site(folder)
    yield made
    made.stop()


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
