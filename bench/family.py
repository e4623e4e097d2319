"""Everything that this process has started, also where a daemon left its parent: CPU, and end."""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress

import psutil

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt() -> None:
    """From now on whoever loses its parent below this process becomes a child of it."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this system has no child subreapers")


def cpu_s() -> float:
    """Seconds of CPU so far, of those that ended and of those that run. After `adopt`."""
    _bury()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = ended.ru_utime + ended.ru_stime
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            found += times.user + times.system + times.children_user + times.children_system
    return found


def end_all() -> None:
    """Kill all of them: daemons whose own way to stop would end others' of the same name."""
    while running := psutil.Process().children(recursive=True):
        for process in running:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _bury()


def _bury() -> None:
    """Waits for those that have ended; nobody else does."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return
