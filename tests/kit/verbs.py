"""`fanfold VERB …` in a process of its own, forked from one that has imported all of them.

For tests whose claim is not how the command line starts: tests/fanfold/test_start.py and
test_terminal.py, the guides and the wheel's test run it from the first line.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from checkout import PROJECT
from forked_core import core_server, may_fork
from waiting import eventually


def run_verb(
    *arguments: str, cwd: Path, env: Mapping[str, str], timeout: float = 300.0, forks: bool = True
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run([python, "-m", "fanfold.main", …], capture_output=True)` would give.

    ``forks``: so may the core be that it starts.
    """
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as connection:
        out, err = Path(folder, "out"), Path(folder, "err")
        cores = core_server() if forks and arguments[0] == "run" and may_fork(env) else ""
        wanted = {"arguments": arguments, "cwd": str(cwd), "env": dict(env), "cores": cores}
        for name, path in (("out", out), ("err", err)):
            path.touch()
            wanted[name] = str(path)
        connection.settimeout(timeout)
        connection.connect(_server())
        connection.sendall(json.dumps(wanted).encode() + b"\n")
        answers = connection.makefile("r")
        process = int(answers.readline())
        try:
            code = int(answers.readline())
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout, out.read_text()) from None
        return subprocess.CompletedProcess(
            ["fanfold", *arguments], code, out.read_text(), err.read_text()
        )


@functools.cache
def _server() -> str:
    """Its address; it ends with this process, whose end closes its input."""
    folder = tempfile.mkdtemp(prefix="verbs-")
    path = f"{folder}/socket"
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("verb_server.py")), path],
        stdin=subprocess.PIPE, cwd=PROJECT, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "NO_COLOR": "1"},
    )  # fmt: skip
    atexit.register(_end, server, folder)
    eventually(Path(path).exists, "the verbs are imported")
    return path


def _end(server: subprocess.Popen[bytes], folder: str) -> None:
    server.communicate()
    for path in Path(folder).iterdir():
        path.unlink()
    Path(folder).rmdir()
