"""Keeps the process of one camera: starts it, listens, starts it again with growing waits."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
from typing import Any, Callable, Iterator

from lambdas.common.waiting import Flag, ended_within
from lambdas.grabber.errors import CameraError
from lambdas.grabber.settings import GrabberSettings, Source

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: (camera, head, content): a frame, or with `code` why there is none.
Post = Callable[[str, "dict[str, Any]", bytes], None]


class CameraProcess:
    """`ask` and `kill` may be called by any thread; what comes is given to `post`."""

    def __init__(self, source: Source, settings: GrabberSettings, post: Post) -> None:
        self._source, self._settings, self._post = source, settings, post
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = Flag()
        self._killed = False
        self._thread = threading.Thread(target=self._keep, daemon=True)
        #: Starts after the first.
        self.reconnects = 0

    def start(self) -> None:
        self._thread.start()

    def ask(self) -> bool:
        """Ask for a frame newer than the last one; False: there is nobody to ask."""
        process = self._process
        if process is None or process.stdin is None:
            return False
        try:
            process.stdin.write(b"\n")
            process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def kill(self) -> None:
        """End the process that hangs; the next one starts as after any other end."""
        process, self._killed = self._process, True
        if process is not None:
            _kill(process)

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping.set()
        self.kill()
        ended_within(self._thread, timeout_s)

    def _keep(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            if self._life():
                wait_s = FIRST_WAIT_S
            # A switch that comes back must not get all cameras' connections at one moment.
            if self._stopping.is_set_within(wait_s * random.uniform(0.8, 1.2)):
                return
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            self.reconnects += 1

    def _life(self) -> bool:
        """From one start to its end; whether a frame came."""
        self._killed = False
        try:
            address = self._settings.address(self._source)
            process = self._process = _spawn()
        except CameraError as error:
            self._report_error(error)
            return False
        except OSError as error:
            why = f"its process cannot be started: {error.strerror}"
            self._report_error(CameraError("broken", why))
            return False
        if self._stopping.is_set():
            _kill(process)
        told = frames = 0
        # Closing its pipes may fail as well: what was written last goes nowhere.
        with contextlib.suppress(OSError, ValueError), process, _killed_at_end(process):
            job = {"address": address, "stall_s": self._source.stall_s}
            process.stdin.write(json.dumps(job).encode() + b"\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            self._post(self._source.name, {"started": True}, b"")
            for head, content in _answers(process.stdout):
                told += "code" in head
                frames += "code" not in head
                self._post(self._source.name, head, content)
        self._process = None
        if not (told or self._killed or self._stopping.is_set()):
            why = f"its process ended with {process.returncode}"
            self._report_error(CameraError("broken", why))
        return frames > 0

    def _report_error(self, error: CameraError) -> None:
        self._post(self._source.name, {"code": error.code, "detail": str(error)}, b"")


def _spawn() -> subprocess.Popen[bytes]:
    path = os.pathsep.join([PACKAGE_ROOT, *(each for each in sys.path if each)])
    return subprocess.Popen(
        [sys.executable, "-m", "lambdas.grabber.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )


@contextlib.contextmanager
def _killed_at_end(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    # Python 3.8 does not look whether another thread has waited for it.
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _answers(stream: Any) -> Iterator[tuple[dict[str, Any], bytes]]:
    """(head, content) until the process ends."""
    while True:
        line = stream.readline()
        if not line.endswith(b"\n"):
            return
        head = json.loads(line)
        content = stream.read(head["size"])
        if len(content) < head["size"]:
            return
        yield head, content
