"""A real broker that is not ours: mosquitto with mutual TLS, client names from certificates."""

from __future__ import annotations

import contextlib
import getpass
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from own_ca import OwnCa
from waiting import eventually

BROKER = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


#: Below what the kernel gives to connections by itself: from there nobody takes a port meanwhile.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port that nobody has, and that only a test asks for."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"none of 100 ports in {PORTS} is free")


class Mosquitto:
    def __init__(self, folder: Path, ca: OwnCa, *, acl: str | None = None) -> None:
        if not Path(BROKER).exists():
            pytest.skip("mosquitto is not installed")
        self.port = free_port()
        self._folder = folder
        certificate, key = ca.leaf("localhost").write(folder, "broker")
        (folder / "ca.crt").write_text(ca.pem)
        lines = [
            f"listener {self.port} 127.0.0.1", f"cafile {folder / 'ca.crt'}",
            f"certfile {certificate}", f"keyfile {key}", "require_certificate true",
            "use_identity_as_username true", "persistence false", "log_type all",
            f"user {getpass.getuser()}",
            f"log_dest file {folder / 'mosquitto.log'}", "max_inflight_messages 100",
        ]  # fmt: skip
        if acl is None:
            lines.append("allow_anonymous true")
        else:
            (folder / "acl").write_text(acl)
            lines.append(f"acl_file {folder / 'acl'}")
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Mosquitto:
        self._process = subprocess.Popen(
            [BROKER, "-c", str(self._folder / "mosquitto.conf")],
            stdout=sys.stderr, stderr=sys.stderr,
        )  # fmt: skip
        eventually(self._listens, "mosquitto listens")
        return self

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
