"""One launcher per work folder: the one that was started last, as the nucleus knows no other.

A nucleus that is killed may leave its components' processes behind, and starts others beside them
when it comes back. Two launchers would fight for the core's state and for its ports.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import IO

LOOK_EVERY_S = 0.1
AGAIN_S = 5.0
PATIENCE_S = 10.0
"""A launcher ends its core in less than the 5 s that nuclei give it."""
SCRIPT = b"run_component"

log = logging.getLogger("component")


class SingleInstance:
    """Holds `file` locked, with this process's number in it; others see by the lock that a
    launcher lives. Entering ends the one that was left. `stopping` ends the wait for it."""

    def __init__(self, file: Path, stopping: threading.Event) -> None:
        self._file, self._stopping = file, stopping

    def __enter__(self) -> SingleInstance:
        self._stream = self._opened()
        asked, began = 0, time.monotonic()
        while not self._stopping.is_set() and not self._is_ours():
            left = self._left()
            if left and left != asked:
                log.warning("process %d is a launcher that an earlier nucleus left: it ends", left)
                _signal(left, signal.SIGTERM)
                asked, began = left, time.monotonic()
            elif time.monotonic() - began > PATIENCE_S:
                began = self._insist(left)
            self._stopping.wait(LOOK_EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def _opened(self) -> IO[bytes] | None:
        """None: asked to end before it could be."""
        while not self._stopping.is_set():
            try:
                return self._file.open("a+b")
            except OSError as error:
                log.error("%s: %s; free space, or give it to this user", self._file, error.strerror)  # noqa: TRY400
                self._stopping.wait(AGAIN_S)
        return None

    def _is_ours(self) -> bool:
        assert self._stream is not None  # noqa: S101 - not asked to end
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        with contextlib.suppress(OSError):  # a full disk: the lock counts, the number is for later
            self._stream.truncate(0)
            self._stream.write(str(os.getpid()).encode())
            self._stream.flush()
        return True

    def _insist(self, left: int) -> float:
        if left:
            _signal(left, signal.SIGKILL)
        else:
            log.error("another process holds %s: end it (fuser -v shows which)", self._file)
        return time.monotonic()

    def _left(self) -> int:
        """The process that holds the lock, when it is a launcher for sure; else 0."""
        try:
            number = int(self._file.read_bytes())
            process = Path(f"/proc/{number}")
            command, folder = (process / "cmdline").read_bytes(), (process / "cwd").resolve()
        except (OSError, ValueError):
            return 0
        return number if SCRIPT in command and folder == self._file.parent.resolve() else 0


def _signal(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        log.error("process %d belongs to another user: end it (kill %d)", process, process)  # noqa: TRY400
