"""One component's process: started, started again, BROKEN after three failures in an hour."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from devcloud.nucleus.recipe import Component, Folders, interpolate

STARTS, WITHIN_S, RETRY_S = 3, 3600.0, 1.0
"""nucleus lite's units: StartLimitBurst, StartLimitInterval, RestartSec; Java the same number."""
STOP_S = 5.0
"""The Java nucleus kills after this; lite waits 120 s."""
NEW, RUNNING, FINISHED, BROKEN, STOPPED = "NEW", "RUNNING", "FINISHED", "BROKEN", "STOPPED"


class Running:
    """`install`, `start`, `stop`. `stopped_in_s`: of the last stop; `killed`: it took too long."""

    def __init__(
        self,
        component: Component,
        folders: Folders,
        environment: Mapping[str, str],
        thing: str,
        user: int | None = None,
    ) -> None:
        self.component, self.folders = component, folders
        self._environment, self._thing, self._user = dict(environment), thing, user
        self.state = NEW
        self.failures: list[float] = []
        self.starts = 0
        self.stopped_in_s = 0.0
        self.killed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        return self.folders.root / "logs" / f"{self.component.name}.log"

    def install(self) -> bool:
        """Whether the install step ended well, within its time; without one, at once."""
        phase = self.component.phases.get("install")
        if phase is None:
            return True
        for _ in range(STARTS):
            process = self._spawn(phase.script)
            try:
                if process.wait(phase.timeout_s) == 0:
                    return True
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()
            self._stopping.wait(RETRY_S)
        self.state = BROKEN
        return False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """SIGTERM to all of the component's processes at once, SIGKILL when it takes too long."""
        self._stopping.set()
        began, process = time.monotonic(), self._process
        if process is not None and process.poll() is None:
            _signal_group(process, signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.killed = True
            _signal_group(process, signal.SIGKILL)  # whoever is left of the group
            process.wait()
        self.stopped_in_s = time.monotonic() - began
        if self._thread is not None:
            self._thread.join()
        self.state = STOPPED

    def _run(self) -> None:
        phase = self.component.phases.get("run") or self.component.phases["startup"]
        while not self._stopping.is_set():
            self._process = self._spawn(phase.script)
            self.starts += 1
            self.state = RUNNING
            code = self._process.wait()
            if self._stopping.is_set():
                return
            _signal_group(self._process, signal.SIGKILL)
            if code == 0:
                self.state = FINISHED
                return
            self._failed()
            if self.state == BROKEN or self._stopping.wait(RETRY_S):
                return

    def _failed(self) -> None:
        now = time.monotonic()
        self.failures = [t for t in self.failures if now - t < WITHIN_S] + [now]
        if len(self.failures) >= STARTS:
            self.state = BROKEN

    def _spawn(self, script: str) -> subprocess.Popen[bytes]:
        self.folders.work.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            os.chown(self.folders.work, self._user, self._user)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = ["sh", "-c", interpolate(script, self.folders, self._thing)]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folders.work, env=self._environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True, user=self._user,
                group=self._user, extra_groups=None if self._user is None else [],
            )  # fmt: skip


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
