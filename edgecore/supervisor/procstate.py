"""What Linux says of a process without asking it: whether it is stopped, and its CPU time.

Linux, proc(5), ``/proc/pid/stat``: field 3 the state, 14 and 15 the ticks in user and kernel
mode. ``T`` is stopped by a signal; ``t``, stopped by a debugger, is somebody's intention.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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
        children = _children(pid)
        if len(children) != 1:
            break
        pid = children[0]
        found = _stat(pid)
    return found


def _stat(pid: int) -> ProcessState | None:
    try:
        # A name may hold blanks and parentheses: what follows the last one is regular.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
    except (OSError, IndexError, ValueError):
        return None
    return ProcessState(stopped=fields[0] == "T", cpu_s=ticks / _TICKS_PER_S)


def _children(pid: int) -> list[int]:
    try:
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):
        return []
