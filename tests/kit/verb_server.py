"""A process that has imported every verb and forks for each command: `python verb_server.py PATH`.

Starting an interpreter and importing is most of what a verb computes. A fork has neither, and is
otherwise a process of its own: working folder, environment, output, exit code (tests/kit/verbs.py).
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NoReturn

from forked import Forked
from forked_core import fork_core

from fanfold.main import VERBS, main


def serve(path: str) -> dict[str, Any]:
    """Returns in each fork, with what it is asked for; ends with whoever started it."""
    for verb in VERBS:
        importlib.import_module(f"fanfold.verbs.{verb}")
    for used_late in ("infra.planning", "boto3", "cryptography.x509"):
        importlib.import_module(used_late)
    _read_descriptions()
    gc.freeze()  # or each fork's first collection would copy all of it
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}.new")
    listener.listen(16)
    os.rename(f"{path}.new", path)  # noqa: PTH104 - there once it answers
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        _reap()
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _watched(connection)
        connection.close()


def _read_descriptions() -> None:
    """What botocore knows of the APIs that most verbs ask: each fork would parse it anew."""
    from botocore import session

    session.create_loader = functools.cache(session.create_loader)
    with_keys = session.Session()
    with_keys.set_credentials("none", "none")
    for service in ("cloudformation", "greengrass", "iot", "lambda", "s3"):
        with_keys.create_client(service, region_name="us-east-1")


def _reap() -> None:
    """Those who watched over verbs have ended; what was computed counts as this process's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _watched(connection: socket.socket) -> dict[str, Any]:
    """Forks the verb's process, which goes on; the other tells its number and how it ended."""
    wanted: dict[str, Any] = json.loads(connection.makefile("r").readline())
    verb = os.fork()
    if verb == 0:
        connection.close()
        return wanted
    connection.sendall(f"{verb}\n".encode())
    _, status = os.waitpid(verb, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def become(wanted: dict[str, Any]) -> list[str]:
    """The process that was asked for; its arguments."""
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    for descriptor, (name, flags) in enumerate([
        (os.devnull, os.O_RDONLY), (wanted["out"], os.O_WRONLY), (wanted["err"], os.O_WRONLY),
    ]):  # fmt: skip
        opened = os.open(name, flags)
        os.dup2(opened, descriptor)
        os.close(opened)
    if wanted["cores"]:
        _fork_cores(wanted["cores"])
    sys.argv = ["fanfold", *wanted["arguments"]]
    return list(wanted["arguments"])


def _fork_cores(server: str) -> None:
    """The core that the verb starts is a fork too, of the process at that address."""
    from fanfold.localcore import starting

    def popen(
        command: list[str], *, env: dict[str, str], stdout: IO[bytes], pass_fds: Sequence[int],
        **_: object,
    ) -> Forked:  # fmt: skip
        return fork_core(
            command, server, stdout=stdout, cwd=Path.cwd(), env=env, session=True, pass_fds=pass_fds
        )

    vars(starting)["subprocess"] = SimpleNamespace(Popen=popen, DEVNULL=subprocess.DEVNULL)


def end(code: int) -> NoReturn:
    """Without taking apart, module by module, what only this process will not use any more."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    end(main(become(serve(sys.argv[1]))))
