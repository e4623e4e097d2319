"""The real core as a process: started, watched, killed."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
from chaos_site import ROOT
from forked import Forked
from forked_core import start_core
from mosquitto import free_port
from waiting import pause_s

from fanfold.common.errors import UserError
from fanfold.localcore.running import RunningCore

DEVICE_PYTHON = ROOT / ".venv-device" / "bin" / "python"

PORTS_OF_A_CORE = ("mqtt_plain", "ipc", "http")


@dataclass
class CoreProcess:
    """``source``: what ``--group`` names. A restart takes the same ports again."""

    state: Path
    source: str
    out: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("--poll-s", "0")
    process: subprocess.Popen[bytes] | Forked | None = None
    prefix: tuple[str, ...] = ()
    python: Path = DEVICE_PYTHON

    def __post_init__(self) -> None:
        # Not the kernel's choice: it gives such a port to somebody else while the core is away.
        ports: set[int] = set()
        while len(ports) < len(PORTS_OF_A_CORE):
            ports.add(free_port())
        self._ports = dict(zip(PORTS_OF_A_CORE, ports, strict=True))

    def launch(self, faults: dict[str, Any] | None = None) -> None:
        """Start it and return at once."""
        command = [*self.prefix, sys.executable, "-m", "edgecore", "--state", str(self.state)]
        command += ["--group", self.source, "--mqtt-port", "off", *self.arguments]
        command += ["--python", f"python3.8={self.python}"]
        for name, port in self._ports.items():
            command += [f"--{name.replace('_', '-')}-port", str(port)]
        if faults is not None:
            plan = self.out.with_name("faults.json")
            plan.write_text(json.dumps(faults))
            command += ["--fault-plan", str(plan)]
        (self.state / "core.json").unlink(missing_ok=True)
        with self.out.open("ab") as out:
            self.process = start_core(
                command, cwd=ROOT, stdout=out, env={**os.environ, **self.environment}
            )

    def start(self, faults: dict[str, Any] | None = None, deadline_s: float = 60) -> float:
        """Seconds until /ready."""
        began = time.monotonic()
        self.launch(faults)
        assert self.process is not None
        while (asked := time.monotonic()) - began < deadline_s and self.process.poll() is None:
            if (core := self.running()) is not None and core.ready():
                self._ports = {name: core.port(name) or 0 for name in self._ports}
                return time.monotonic() - began
            time.sleep(pause_s(began, asked))
        raise AssertionError(self.out.read_text()[-4000:])

    def preload(self, environment: Mapping[str, str]) -> None:
        """``environment`` for the core and for every function, which inherits none of it."""
        self.environment = {**self.environment, **environment}
        lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        lines.append(f'exec {DEVICE_PYTHON} "$@"')
        self.python = self.out.with_name("python3.8")
        self.python.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        self.python.chmod(0o755)

    def running(self) -> RunningCore | None:
        try:
            return RunningCore(self.state, json.loads((self.state / "core.json").read_text()))
        except FileNotFoundError:
            return None

    def status(self) -> dict[str, Any]:
        """/api/status."""
        core = self.running()
        assert core is not None
        found: dict[str, Any] = core.get("/api/status")
        return found

    def not_ready(self) -> list[dict[str, Any]]:
        """The reasons of /ready; none: it is ready."""
        core = self.running()
        assert core is not None
        with contextlib.closing(HTTPConnection("127.0.0.1", core.port("http"), timeout=5)) as http:
            http.request("GET", "/ready")
            found: list[dict[str, Any]] = json.loads(http.getresponse().read())["reasons"]
        return found

    def functions(self) -> dict[str, dict[str, Any]]:
        return {f["id"]: f for f in self.status()["functions"]}

    def until(self, holds: Callable[[dict[str, Any]], bool], deadline_s: float = 60) -> float:
        """Seconds until ``holds(status)``; a core that is just going away is asked again."""
        began = time.monotonic()
        while (asked := time.monotonic()) - began < deadline_s:
            with contextlib.suppress(UserError, AssertionError):
                if holds(self.status()):
                    return time.monotonic() - began
            time.sleep(pause_s(began, asked))
        raise AssertionError(f"not within {deadline_s} s: {self.status()}")

    def kill(self, *, everything: bool = False) -> list[psutil.Process]:
        """SIGKILL to the core, or to it and all its processes; those that it had."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        os.kill(self.process.pid, signal.SIGKILL)
        for process in family if everything else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        return family

    def freeze(self, deadline_s: float = 20) -> None:
        """SIGSTOP to the core, then to its processes; nothing is answered any more on return."""
        assert self.process is not None
        core = psutil.Process(self.process.pid)
        for process in (core, *core.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        until = time.monotonic() + deadline_s
        while core.status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < until, core.status()
            time.sleep(0.005)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def rss_kb(self) -> int:
        """Of the core's own process, without its functions."""
        assert self.process is not None
        return int(psutil.Process(self.process.pid).memory_info().rss // 1024)

    def descriptors(self) -> int:
        assert self.process is not None
        return int(psutil.Process(self.process.pid).num_fds())


def assert_gone(family: list[psutil.Process], deadline_s: float = 10) -> None:
    """None of a killed core's processes may be left behind."""
    _, alive = psutil.wait_procs(family, timeout=deadline_s)
    orphans = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not orphans, orphans
