"""Waiting with a time limit that a change of the clock cannot stretch.

Up to Python 3.10 every timed wait of `threading` and `queue` ends at a moment of the wall
clock (`sem_timedwait`): set the clock back by an hour and a wait of 50 ms takes an hour
(CPython issue 85876). The kernel measures `poll` by the monotonic clock, so the waits here
poll a pipe. `tests/lambdas/common/test_waiting.py` finds the other kind in our code.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import weakref

_JOIN_LOOK_S = 0.01
_DRAIN_BYTES = 4096


class _Pipe:
    """One end is written by whoever has news, the other polled by whoever waits for it."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # Not at the interpreter's exit: threads that wait here still run then.
        weakref.finalize(self, _close, self._read, self._write).atexit = False

    def _signal(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full of news that nobody has heard yet
            os.write(self._write, b"!")

    def _signalled_within(self, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        return bool(poll.poll(max(0.0, timeout_s) * 1000))


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class Flag(_Pipe):
    """Raised once and for ever; any number of threads may wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._raised = False

    def set(self) -> None:
        if not self._raised:
            self._raised = True
            self._signal()

    def is_set(self) -> bool:
        return self._raised

    def is_set_within(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s` for it."""
        return self._raised or self._signalled_within(timeout_s)


class WakeUp(_Pipe):
    """Any thread wakes, one waits; wake-ups that nobody has waited for count as one."""

    def wake(self) -> None:
        self._signal()

    def is_woken_within(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s` for a wake-up since the last call."""
        if not self._signalled_within(timeout_s):
            return False
        with contextlib.suppress(BlockingIOError):  # another thread was woken
            os.read(self._read, _DRAIN_BYTES)
        return True


def ended_within(thread: threading.Thread, timeout_s: float) -> bool:
    """`Thread.join` with a limit: whether it has ended by then."""
    deadline = time.monotonic() + timeout_s
    while thread.is_alive() and time.monotonic() < deadline:
        time.sleep(_JOIN_LOOK_S)
    return not thread.is_alive()
