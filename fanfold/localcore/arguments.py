"""The core's command line, from what the user chose and the site says."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanfold.common.errors import INVALID, UserError
from fanfold.localcore.listening import Listen


@dataclass(frozen=True, kw_only=True)
class CoreOptions:
    """Ports as text or numbers, 0: any free one; ``poll_s`` in seconds."""

    source: str
    state: Path
    site: str
    mqtt_plain_port: int
    mqtt_port: str
    ipc_port: int
    http_port: int
    isolation: str
    function_user: str
    insecure_core_user: bool
    poll_s: float
    doctor: bool
    read_only: bool
    listen: Listen
    fault_plan: Path | None
    pythons: Mapping[str, str]
    device_certificates: str | None
    secrets: Path | None

    def command(self) -> list[str]:
        """``python -m edgecore`` with all but the cloud's part."""
        command = [sys.executable, "-m", "edgecore", "--group", self.source]
        command += ["--state", str(self.state), *self._ports()]
        command += ["--isolation", self.isolation, "--poll-s", str(self.poll_s)]
        command += ["--function-user", self.function_user]
        command += ["--insecure-core-user"] if self.insecure_core_user else []
        command += self._page()
        command += ["--fault-plan", str(self.fault_plan)] if self.fault_plan else []
        for runtime, path in self.pythons.items():
            command += ["--python", f"{runtime}={path}"]
        if self.device_certificates is not None:
            command += ["--device-certificates", self.device_certificates]
        if self.secrets is not None:
            command += ["--secrets", str(self.secrets.absolute())]
        return command

    def _ports(self) -> list[str]:
        ports = ["--mqtt-plain-port", str(self.mqtt_plain_port), "--mqtt-port", self.mqtt_port]
        return [*ports, "--ipc-port", str(self.ipc_port), "--http-port", str(self.http_port)]

    def _page(self) -> list[str]:
        arguments: list[str] = []
        if self.doctor:
            checks = [sys.executable, "-m", "fanfold", "doctor", self.site, "--json"]
            arguments += ["--doctor", shlex.join(checks)]
        if self.read_only:
            arguments.append("--read-only")
        return arguments + self.listen.arguments()


def pythons_of(given: Sequence[str]) -> dict[str, str]:
    """``RUNTIME=PATH`` arguments. Raises UserError."""
    found = {}
    for text in given:
        runtime, equals, path = text.partition("=")
        if not equals or not path:
            raise UserError(
                f"--python {text!r} is not RUNTIME=PATH, e.g. python2.7=/usr/bin/x", INVALID
            )
        found[runtime] = path
    return found
