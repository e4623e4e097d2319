"""`python -m edgecore …` as a fork of a process that has imported the core.

For tests whose claim is not how a core starts: the guides, the wheel, the component and the demo
run it from the first line, and so does whoever puts a command in front of it or a library into it.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from checkout import PROJECT
from forked import Forked, fork, start_server

CORE = [sys.executable, "-m", "edgecore"]
#: What an interpreter, its allocator and its libraries read once, when they start.
READ_AT_THE_START = ("GLIBC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON", "TZ")

CoreProcess = subprocess.Popen[bytes] | Forked


def start_core(
    command: Sequence[str],
    *,
    stdout: IO[bytes],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> CoreProcess:
    """As `subprocess.Popen` with all output in one file; a fork where it can be one."""
    env = os.environ if env is None else env
    if list(command[:3]) != CORE or not may_fork(env):
        return subprocess.Popen(command, stdout=stdout, stderr=stdout, cwd=cwd, env=env)
    return fork_core(command, core_server(), stdout=stdout, cwd=cwd or Path.cwd(), env=env)


def fork_core(
    command: Sequence[str], server: str, *, stdout: IO[bytes], cwd: Path, env: Mapping[str, str],
    session: bool = False, pass_fds: Sequence[int] = (),
) -> Forked:  # fmt: skip
    """As `forked.fork`, with all output in one file."""
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        descriptors = [nothing.fileno(), stdout.fileno(), stdout.fileno(), *pass_fds]
        forked = fork(
            server, command[3:], cwd=cwd, env=env, descriptors=descriptors, session=session
        )
    forked.args = command
    return forked


def may_fork(env: Mapping[str, str]) -> bool:
    """Whether a process started with it would be as one that this process's environment makes."""
    return _read_at_the_start(env) == _read_at_the_start(os.environ)


def _read_at_the_start(env: Mapping[str, str]) -> dict[str, str]:
    """The project may be named for imports: it can be imported anyhow."""
    found = {name: value for name, value in env.items() if name.startswith(READ_AT_THE_START)}
    if found.get("PYTHONPATH") in (str(PROJECT), os.environ.get("PYTHONPATH")):
        found.pop("PYTHONPATH", None)
    return found


@functools.cache
def core_server() -> str:
    """The address of this process's server of cores."""
    return start_server(PROJECT / "tests/kit/edgecore/core_server.py")
