"""What Linux says of a process without asking it: stopped or not, CPU time, what is inside.

Linux, proc(5), ``/proc/pid/stat``: field 3 the state, 14 and 15 the ticks in user and kernel
mode. ``T`` is stopped by a signal; ``t``, stopped by a debugger, is somebody's intention.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edgecore.disk.process_mark import stat_fields

_BUBBLEWRAP = "bwrap"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessState:
    stopped: bool
    cpu_s: float


def process_state(pid: int, *, container: bool = False) -> ProcessState | None:
    """Of a worker's process; None where it is gone.

    In a ``container`` that is the innermost one below bubblewrap's own, which only wait.
    """
    found = _stat(pid)
    while container and found is not None and not found.stopped:
        below = children(pid)
        if len(below) != 1:
            break
        pid = below[0]
        found = _stat(pid)
    return found


def _stat(pid: int) -> ProcessState | None:
    try:
        fields = stat_fields(pid)
        ticks = int(fields[11]) + int(fields[12])
    except (OSError, IndexError, ValueError):
        return None
    return ProcessState(stopped=fields[0] == "T", cpu_s=ticks / _TICKS_PER_S)


def contained(pid: int) -> list[int]:
    """What runs in the bubblewrap container that ``pid`` is; empty where it is none."""
    if _comm(pid) != _BUBBLEWRAP:
        return []
    waiting, found = [pid], []
    while waiting:
        for child in children(waiting.pop()):
            waiting.append(child)
            if _comm(child) != _BUBBLEWRAP:
                found.append(child)
    return found


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    """Of its main thread, by process id; none where it is gone."""
    try:
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):
        return []
