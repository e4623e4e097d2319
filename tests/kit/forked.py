"""Processes that are forks of a server (`fork_server.py`), as `subprocess` has them. Python 3.8."""

from __future__ import annotations

import array
import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from checkout import PROJECT


class Forked:
    """What `subprocess.Popen` tells of a process, and does to it."""

    def __init__(self, args: Sequence[str], connection: socket.socket) -> None:
        self.args, self._connection = args, connection
        self.pid = int(connection.recv(64))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.returncode = int(self._connection.recv(64))
            self._connection.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired; `timeout` in seconds."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0.0)
            self.poll()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork(
    server: str, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str],
    descriptors: Sequence[int], session: bool = False, **more: str,
) -> Forked:  # fmt: skip
    """Of the server at that address. ``session``: of its own; ``descriptors``: the first three are
    its standard ones, the others stay open in it; ``more``: for that server alone."""
    wanted = {"arguments": arguments, "cwd": str(cwd), "env": dict(env), "session": session, **more}
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(server)
    given = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    connection.sendmsg([json.dumps(wanted).encode()], [given])
    return Forked(arguments, connection)


def start_server(script: Path, **env: str) -> str:
    """Its address; it ends with this process, whose end closes its input."""
    from waiting import eventually  # pytest, which the server of verbs has no use for

    folder = tempfile.mkdtemp(prefix="forks-")
    path = f"{folder}/socket"
    server = subprocess.Popen(
        [sys.executable, str(script), path],
        stdin=subprocess.PIPE, cwd=PROJECT, start_new_session=True,
        env={**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests/kit'}", **env},
    )  # fmt: skip
    atexit.register(_end, server, Path(folder))
    eventually(Path(path).exists, f"{script.name} has imported what its forks are")
    return path


def _end(server: subprocess.Popen[bytes], folder: Path) -> None:
    server.communicate()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
