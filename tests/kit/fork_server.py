"""A process that has imported something and forks for whoever asks; `forked.py` asks. Python 3.8.

A fork has the imports, and is otherwise a process of its own: working folder, environment,
descriptors, session, exit code.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import select
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

MAX_MESSAGE_BYTES = 1 << 18
MAX_DESCRIPTORS = 8


def serve(path: str) -> dict[str, Any]:
    """Returns in each fork, with what it is asked for; ends with whoever started it."""
    gc.freeze()  # or each fork's first collection would copy all of it
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{path}.new")
    listener.listen(16)
    os.rename(f"{path}.new", path)  # noqa: PTH104 - there once it answers
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _watched(connection)
        connection.close()


def _watched(connection: socket.socket) -> dict[str, Any]:
    """Forks the process that was asked for; the other tells its number and how it ended."""
    room = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)
    message, ancillary, _, _ = connection.recvmsg(MAX_MESSAGE_BYTES, room)
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    process = os.fork()
    if process == 0:
        connection.close()
        return {**json.loads(message), "descriptors": list(descriptors)}
    for descriptor in descriptors:  # a pipe ends, a lock is free with the process
        os.close(descriptor)
    with contextlib.suppress(BrokenPipeError):  # who started it does not wait for its end
        connection.send(str(process).encode())
        _, status = os.waitpid(process, 0)
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        connection.send(str(code).encode())
    os._exit(0)


def become(wanted: dict[str, Any]) -> list[str]:
    """The process that was asked for; its arguments."""
    if wanted["session"]:
        os.setsid()
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    for standard, descriptor in enumerate(wanted["descriptors"][:3]):  # the others are kept open
        os.dup2(descriptor, standard)
        os.close(descriptor)
    return list(wanted["arguments"])


def end(main: Callable[[list[str]], int | None], arguments: list[str]) -> NoReturn:
    """As an interpreter does, without taking apart what only this process will not use any more."""
    try:
        code = main(arguments) or 0
    except SystemExit as asked:
        code = asked.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
