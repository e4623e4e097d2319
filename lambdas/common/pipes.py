"""A process and the child that it asks, over the child's standard input and output.

Lines both ways. What the child's libraries print goes to standard error, and what a child that
ends has not read is unsent: its parent hears of the end where it reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from typing import Any, AnyStr


class Answers:
    """The child's side: standard output, for the protocol alone from now on. For any thread."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def line(self, content: bytes) -> None:
        """Send `content`, which holds no newline, at once. Raises OSError: the parent is gone."""
        with self._lock:
            self._out.write(content + b"\n")
            self._out.flush()

    def json(self, message: Any) -> None:
        """Send a line of JSON. Raises OSError."""
        self.line(json.dumps(message).encode())


def feed(process: subprocess.Popen[AnyStr], content: AnyStr) -> bool:
    """Write to a child that was started with a pipe; False: it is ending."""
    if process.stdin is None:
        raise ValueError(f"process {process.pid} was started without a pipe to its stdin")
    try:
        process.stdin.write(content)
        process.stdin.flush()
    except OSError:
        return False
    return True


def hang_up(process: subprocess.Popen[AnyStr]) -> None:
    """Close both pipes of a child that ended or is to end."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):  # what it did not read is unsent
                stream.close()
