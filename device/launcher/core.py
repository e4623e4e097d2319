"""One run of a core: started, asked over loopback whether it is ready, stopped."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import signal
import subprocess
from pathlib import Path

ASK_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 60.0
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _end_with_launcher() -> None:
    """A launcher that is killed leaves no core that the next one would meet."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Core:
    """The process of one version. `state`: its --state, where core.json names its HTTP port."""

    def __init__(self, command: list[str], environment: dict[str, str], state: Path) -> None:
        self._state = state
        state.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(  # in its own folder: `-m` looks there first
            command, env=environment, cwd=str(state), stdin=subprocess.DEVNULL,
            preexec_fn=_end_with_launcher,  # noqa: PLW1509 - one system call, no lock
        )  # fmt: skip

    def ended(self, within_s: float) -> int | None:
        """The exit code when it ends within so many seconds, else None."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None

    def ready(self) -> bool:
        """Whether this very process answers /ready with 200."""
        port = self._port()
        if port is None:
            return False
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_TIMEOUT_S)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _port(self) -> int | None:
        try:
            facts = json.loads((self._state / "core.json").read_text(encoding="utf-8"))
            own = facts["pid"] == self.process.pid
            return int(facts["ports"]["http"]) if own else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def stop(self) -> int:
        """SIGTERM, and SIGKILL for one that does not end; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            if self.ended(STOP_TIMEOUT_S) is None:
                self.process.kill()
        return self.process.wait()


def described(code: int) -> str:
    """`exit code 1`, `killed by SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def environment_of(version: Path, launcher: Path) -> dict[str, str]:
    """What the core's process is given: this one's, and where to hand a new version to."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "FANFOLD_LAUNCHER": str(launcher), "FANFOLD_VERSION": version.name}
