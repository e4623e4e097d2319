"""Which process a number means: Linux gives numbers again, after a power cut from the beginning.

Linux, proc(5): field 22 of ``/proc/pid/stat`` is when the process started, in ticks since the
boot, which ``/proc/sys/kernel/random/boot_id`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROC = Path("/proc")
_ENDED = ("Z", "X")
_STARTED = 22 - 3
"""Of ``stat_fields``."""


def stat_fields(pid: int, proc: Path = PROC) -> list[str]:
    """``stat`` from field 3, the state, on. Raises OSError where the process is gone."""
    # A name may hold blanks and parentheses: what follows the last one is regular.
    return (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()


def process_mark(pid: int, proc: Path = PROC) -> dict[str, Any] | None:
    """``boot_id`` and ``started_ticks`` of a process; None where it is gone, or has
    ended and only waits for its parent to notice."""
    try:
        fields = stat_fields(pid, proc)
        if fields[0] in _ENDED:
            return None
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        return {"boot_id": boot, "started_ticks": int(fields[_STARTED])}
    except (OSError, IndexError, ValueError):
        return None


def is_same_process(facts: Mapping[str, Any], proc: Path = PROC) -> bool:
    """Whether ``pid`` of facts is still the process that wrote them with its mark.

    A core of an earlier release wrote none: then its command line has to be a core's.
    """
    try:
        pid = int(facts["pid"])
    except (KeyError, TypeError, ValueError):
        return False
    mark = process_mark(pid, proc)
    if mark is None:
        return False
    if "started_ticks" in facts:
        return mark == {name: facts.get(name) for name in mark}
    try:
        return b"edgecore" in (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
