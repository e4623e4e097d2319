"""The life of the Core component: adopt what the nucleus unpacked, then launch for ever.

A nucleus gives a component three starts in an hour and then none, so what it starts here ends by
SIGTERM only (docs/spec/components.md).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import threading
import time
from pathlib import Path

from device.component.adopting import AdoptError, adopt, prune, why
from device.component.single_instance import SingleInstance
from device.launcher.launcher import READY_S, Launcher, Settings
from device.versions.record import VersionsError, read, write

LOOK_EVERY_S = 0.5
FULL_S = 5.0
AGAIN_S = 30.0
LATER_S = 10.0
RUNTIME_WAIT_S = 120.0
"""For a version that runs already: the nucleus may be unpacking the new libraries just now."""

log = logging.getLogger("component")


def main() -> int:
    """Exit code 0 after SIGTERM; there is no other end."""
    parser = argparse.ArgumentParser("run_component")
    parser.add_argument("--runtime", required=True, help="folder of the Runtime's files")
    parser.add_argument("arguments", nargs="*", help="of the core, after --")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    work = Path.cwd()
    files = Path(__file__).resolve().parents[3]
    return Component(work, files, given.runtime, given.arguments).run()


class Component:
    """`work`: the component's work folder; `files`: where its archive was unpacked; `runtime`:
    the name of the folder with the libraries that this version was made for."""

    def __init__(self, work: Path, files: Path, runtime: str, arguments: list[str]) -> None:
        self._work, self._files, self._wanted = work, files, runtime
        self._stopping = threading.Event()
        state = work / "core"
        self._launcher = Launcher(
            Settings(
                folder=work / "launcher",
                versions=work / "versions",
                state=state,
                arguments=[
                    "--group", f"components:{work}", "--state", str(state),
                    "--python", "python3.8={python}", *arguments,
                ],
                ready_s=READY_S,
            )
        )  # fmt: skip

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with SingleInstance(self._work / "alive", self._stopping):
            self._offer_version()
            while not self._stopping.is_set():
                try:
                    self._launcher.run()
                except (VersionsError, OSError) as error:
                    full = f"; free space in {self._work}" if isinstance(error, OSError) else ""
                    log.error("%s%s; tried again", error, full)  # noqa: TRY400 - for a person
                    self._stopping.wait(AGAIN_S)
        return 0

    def _stop(self, *_: object) -> None:
        self._stopping.set()
        self._launcher.stop()

    def _offer_version(self) -> None:
        """This component's version goes on trial. Where a version ran before, it runs until this
        one can be kept: its libraries come late, or the disk is full."""
        said, deadline = "", time.monotonic() + RUNTIME_WAIT_S
        while not self._stopping.is_set():
            try:
                version = self._adopted()
                if version is not None:
                    self._note(version)
            except (AdoptError, OSError, VersionsError) as error:
                said = self._log_once(error, said)
                late = isinstance(error, OSError) or time.monotonic() > deadline
                if late and self._has_version():
                    threading.Thread(target=self._offer_later, args=(said,), daemon=True).start()
                    return
                # A full disk is not filled again twice a second.
                self._stopping.wait(FULL_S if isinstance(error, OSError) else LOOK_EVERY_S)
            else:
                return

    def _offer_later(self, said: str) -> None:
        """Beside a core that runs; the launcher exchanges it."""
        while not self._stopping.wait(LATER_S):
            try:
                version = self._adopted()
            except (AdoptError, OSError, VersionsError) as error:
                said = self._log_once(error, said)
            else:
                if version is not None:
                    self._launcher.offer(version)
                return

    def _log_once(self, error: Exception, said: str) -> str:
        """In the component's log, once for the same thing."""
        words = str(error)
        if isinstance(error, OSError):
            words = f"this version cannot be kept in {self._work} ({why(error)}); free space there"
        if words != said:
            log.error("%s; tried again", words)
        return words

    def _adopted(self) -> str | None:
        """This version, when it is to be tried here. What nothing goes back to makes room first."""
        known = read(self._versions_file)
        prune(self._work, known)
        version = adopt(self._files, self._runtime(), self._work)
        if version in (known.proved, known.trial):
            return None
        if self._was_refused(version):
            prune(self._work, known)
            return None
        return version

    def _note(self, version: str) -> None:
        self._versions_file.parent.mkdir(exist_ok=True)
        known = read(self._versions_file).offered(version)
        write(self._versions_file, known)
        prune(self._work, known)

    @property
    def _versions_file(self) -> Path:
        return self._work / "launcher" / "versions.json"

    def _was_refused(self, version: str) -> bool:
        """A version that this device went back from is not tried at every boot."""
        try:
            result = json.loads((self._work / "launcher" / "result.json").read_text("utf-8"))
        except (OSError, ValueError):
            return False
        return (result.get("version"), result.get("outcome")) == (version, "went_back")

    def _has_version(self) -> bool:
        try:
            return read(self._versions_file).current is not None
        except VersionsError:
            return False

    def _runtime(self) -> Path:
        file = self._work / "offers" / "runtime.json"
        try:
            offered = Path(json.loads(file.read_text(encoding="utf-8"))["path"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AdoptError(f"waiting for the Runtime component ({file}: {error})") from error
        if offered.name != self._wanted or not os.access(offered, os.R_OK):
            raise AdoptError(
                f"waiting for the Runtime component ({self._wanted} is not offered yet)"
            )
        return offered
