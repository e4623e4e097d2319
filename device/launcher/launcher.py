"""The loop: start the version that is due, judge a trial, go back, start again; until SIGTERM."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from device.launcher import update
from device.launcher.core import Core, described, environment_of
from device.versions.installing import BundleError
from device.versions.record import TRIAL_STARTS, Versions, read, remove, write

LOOK_EVERY_S = 0.5
READY_S = 300.0
"""For a new version to be ready, or the one before it comes back."""
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0

log = logging.getLogger("launcher")


@dataclass(frozen=True)
class Settings:
    """`folder`: versions.json, request.json, result.json. `{python}` in `arguments` is replaced."""

    folder: Path
    versions: Path
    state: Path
    arguments: list[str]
    ready_s: float = 300.0


class Launcher:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._wait_s = FIRST_WAIT_S
        self._versions = Versions()
        self._offered: str | None = None

    def offer(self, version: str) -> None:
        """An installed version that goes on trial instead of the one that runs; from any thread."""
        self._offered = version

    def stop(self) -> None:
        """End the core and return from `run`; may be called from a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        while not self._stopping.is_set():
            self._versions = read(self._file)
            if self._versions.exhausted:
                self._go_back(f"did not become ready in {TRIAL_STARTS} starts")
            elif self._versions.current is None:
                log.error("no version is installed: run install.sh of a bundle")
                self._pause()
            else:
                self._run_once(self._versions.current)

    def _run_once(self, version: str) -> None:
        version = self._begun(version)
        log.info("starting core %s%s", version, ", on trial" if self._versions.trial else "")
        environment = environment_of(self._settings.versions / version, self._settings.folder)
        try:
            core = Core(self._command(version), environment, self._settings.state)
        except OSError as error:
            self._again(version, f"cannot be started: {error}")
            return
        try:
            self._watch(core, version)
        finally:
            core.stop()

    def _begun(self, version: str) -> str:
        """The version to start: of a trial that cannot be counted, the one that proved itself."""
        try:
            self._write(self._versions.begun())
        except OSError as error:
            if not self._can_go_back:  # what there is runs for ever: nothing is counted for
                return version
            self._versions = self._versions.refused()
            log.error(  # noqa: TRY400 - one line for a person
                "core %s waits: its trial cannot be noted in %s (%s); free space there. Until the "
                "next start %s runs", version, self._file, error.strerror, self._versions.proved,
            )  # fmt: skip
            return str(self._versions.proved)
        return version

    def _watch(self, core: Core, version: str) -> None:
        """Until the core ends or must; then what follows from it is on disk."""
        settings, ready, proved = self._settings, False, False
        deadline = time.monotonic() + settings.ready_s
        while not self._stopping.is_set():
            code = core.ended(LOOK_EVERY_S)
            if code is not None:
                self._again(version, f"ended with {described(code)}")
                return
            if not proved and core.ready():
                ready, proved = True, self._committed(version, again=ready)
            if not ready and self._can_go_back and time.monotonic() > deadline:
                core.stop()
                self._go_back(f"was not ready within {settings.ready_s:g} s")
                return
            if self._offered is not None:
                self._write(self._versions.offered(self._offered))
                self._offered = None
                return
            waiting = proved or not self._can_go_back  # nothing of this trial would be lost
            if waiting and update.pending(settings.folder) and self._install(version):
                return

    @property
    def _can_go_back(self) -> bool:
        return self._versions.trial is not None and self._versions.proved is not None

    def _committed(self, version: str, *, again: bool) -> bool:
        """Whether it is noted; a full disk ends no core that is ready."""
        try:
            self._commit(version)
        except OSError as error:
            if not again:
                log.error(  # noqa: TRY400 - one line for a person
                    "core %s is ready, and it cannot be noted in %s (%s); free space there",
                    version, self._settings.folder, error.strerror,
                )  # fmt: skip
            return False
        return True

    def _commit(self, version: str) -> None:
        on_trial, former = self._versions.trial is not None, self._versions.proved
        self._wait_s = FIRST_WAIT_S
        if on_trial:  # told before it is remembered: a power cut in between tells it again
            update.report(self._settings.folder, version, "proved", "", version)
        self._write(self._versions.ready())
        if on_trial:
            log.info("core %s is ready: this device goes back to it from now on", version)
        if on_trial and former not in (None, version):
            remove(str(former), self._settings.versions, self._settings.folder)

    def _go_back(self, reason: str) -> None:
        version, back = str(self._versions.trial), self._versions.refused()
        log.error("core %s %s: back to %s", version, reason, back.proved)
        update.report(self._settings.folder, version, "went_back", reason, str(back.proved))
        self._write(back)
        if version != back.proved:
            remove(version, self._settings.versions, self._settings.folder)

    def _again(self, version: str, reason: str) -> None:
        """After a core that ended by itself: the same again after a pause."""
        log.error("core %s %s; next start in %g s", version, reason, self._wait_s)
        self._pause()

    def _write(self, versions: Versions) -> None:
        if versions != self._versions:  # a full disk stops no core of which nothing is new
            write(self._file, versions)
            self._versions = versions

    def _install(self, running: str) -> bool:
        """Whether another version is installed now, to be started on trial."""
        try:
            version = update.take(self._settings.folder, self._settings.versions)
        except BundleError as error:
            log.error("%s", error)  # noqa: TRY400 - one line for the person who deploys
            update.report(self._settings.folder, "", "not_installed", str(error), running)
            return False
        if version == running:
            update.report(self._settings.folder, version, "proved", "it runs already", version)
            return False
        log.info("core %s is installed and goes on trial", version)
        self._write(self._versions.offered(version))
        return True

    def _pause(self) -> None:
        self._stopping.wait(self._wait_s)
        self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)

    def _command(self, version: str) -> list[str]:
        python = str(self._settings.versions / version / "bin" / "python")
        arguments = [each.replace("{python}", python) for each in self._settings.arguments]
        return [python, "-m", "edgecore", *arguments]

    @property
    def _file(self) -> Path:
        return self._settings.folder / "versions.json"
