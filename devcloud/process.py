"""Starting, finding and stopping the development cloud's process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from devcloud.auth.keys import Key
from devcloud.auth.signing import ask
from devcloud.iot import CA_FILE

REGION = "us-east-1"
DEFAULT_PORT = 5005
DEFAULT_STATE = Path(".fanfold/devcloud")
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 10.0
HEALTH_TIMEOUT_S = 10.0


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Clouds that this process started, to be reaped by it."""


class DevCloudError(Exception):
    """The development cloud cannot do what was asked; the message says the remedy.

    `exit_code`: 3 when something that it needs is missing or taken, 1 otherwise.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class DevCloud:
    """A running development cloud."""

    pid: int
    port: int
    state_dir: Path
    key: Key = field(repr=False)
    iot_port: int = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def env(self) -> dict[str, str]:
        """What makes boto3 and the CDK talk to this cloud and to no other."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.key.id,
            "AWS_SECRET_ACCESS_KEY": self.key.secret,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "FANFOLD_IOT_CA": str(self.ca_file),
        }

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of this cloud."""
        import boto3

        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=self.key.id,
            aws_secret_access_key=self.key.secret,
        )

    def messages(self, topic_prefix: str = "", region: str = REGION) -> list[dict[str, str]]:
        """What was published to AWS IoT, oldest first: `topic` and `payload_b64`."""
        query = urlencode({"region": region, "topic": topic_prefix})
        address = f"{self.url}/moto-api/devcloud/messages?{query}"
        found: list[dict[str, str]] = ask(address, self.key)
        return found

    def end_deployments(self, status: str, error: str | None = None, region: str = REGION) -> None:
        """How deployments made from now on end: Success (the default), Failure, InProgress."""
        ask(
            f"{self.url}/moto-api/devcloud/deployments?region={region}",
            self.key,
            json.dumps({"status": status, "error": error}).encode(),
        )

    def followed_groups(self, region: str = REGION) -> list[str]:
        """Ids of the groups whose core has said that it is there, and has not gone since."""
        found: dict[str, list[str]] = ask(
            f"{self.url}/moto-api/devcloud/cores?region={region}", self.key
        )
        return found["follows"]

    @property
    def ca_file(self) -> Path:
        """What a device must trust to reach the AWS IoT endpoint, localhost:`iot_port`."""
        return self.state_dir.absolute() / CA_FILE

    def iot(self, **wanted: Any) -> dict[str, Any]:
        """Look at the AWS IoT data plane; `settings`, `cut`: devcloud/iot/window.py."""
        body = json.dumps(wanted).encode() if wanted else None
        found: dict[str, Any] = ask(f"{self.url}/moto-api/devcloud/iot", self.key, body)
        return found

    def alive(self) -> bool:
        """Whether that very process answers there: another program may have the port by now."""
        try:
            health = ask(f"{self.url}/moto-api/devcloud/health", self.key, None, HEALTH_TIMEOUT_S)
            return bool(health.get("pid") == self.pid)
        except (OSError, ValueError, AttributeError):
            return False

    def stop(self) -> None:
        """End the process and wait for it; nothing happens if it is gone already."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
            _wait_for_end(self.pid)
        _ready_file(self.state_dir).unlink(missing_ok=True)


def start(port: int = DEFAULT_PORT, state_dir: Path = DEFAULT_STATE) -> DevCloud:
    """Start a development cloud and wait until it answers, or reuse the one that runs here.

    `port` 0 takes a free one. Raises DevCloudError: port taken, or the process ended early.
    """
    if running := find(state_dir):
        if port not in (0, running.port):
            raise DevCloudError(
                f"a development cloud with state in {state_dir} is already running on port "
                f"{running.port} "
                f"(asked for: {port}). Stop it with `python -m devcloud stop`, or use that port."
            )
        return running
    state_dir.mkdir(parents=True, exist_ok=True)
    state_dir.chmod(0o700)  # keys of this run lie here
    ready = _ready_file(state_dir)
    ready.unlink(missing_ok=True)
    log = state_dir / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "devcloud.server", "--port", str(port), "--ready", str(ready)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _children[process.pid] = process
    _wait_until_ready(process, port, ready, log)
    cloud = find(state_dir)
    if cloud is None:
        raise DevCloudError(f"the development cloud started but does not answer; see {log}")
    return cloud


def find(state_dir: Path = DEFAULT_STATE) -> DevCloud | None:
    """The development cloud that runs here, answers, and is this user's."""
    try:
        written = json.loads(_ready_file(state_dir).read_text())
        cloud = DevCloud(
            pid=written["pid"],
            port=written["port"],
            state_dir=state_dir,
            key=Key(written["key_id"], written["secret"]),
            iot_port=written["iot_port"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cloud if cloud.alive() else None


def _ready_file(state_dir: Path) -> Path:
    return state_dir.absolute() / "devcloud.json"


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, ready: Path, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if ready.exists() and find(ready.parent):
            return
        if (code := process.poll()) is not None:
            raise _ended_early(code, port, log)
        time.sleep(0.05)
    process.kill()
    raise DevCloudError(
        f"the development cloud did not answer within {START_TIMEOUT_S:.0f} s; see {log}"
    )


def _ended_early(code: int, port: int, log: Path) -> DevCloudError:
    last_line = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
    if code == 3:
        return DevCloudError(
            f"port {port} of 127.0.0.1 cannot be used ({last_line[0]}). "
            "Choose another with --port; 0 takes any free one.",
            exit_code=3,
        )
    return DevCloudError(
        f"the development cloud ended with exit status {code}: {last_line[0]} (see {log})"
    )


def _wait_for_end(pid: int) -> None:
    """Reap it if this process started it, otherwise watch for its id to go."""
    child = _children.pop(pid, None)
    if child is not None:
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(STOP_TIMEOUT_S)
        return
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        os.kill(pid, 0)  # raises ProcessLookupError once it is gone
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
