"""The machine and the date that every report names."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

from edgecore.disk.process_mark import stat_fields


def describe() -> dict[str, Any]:
    """Processor, cores, memory, kernel, Python and UTC date of this run."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"model name", "Model"}:
            return value.strip()
    return platform.machine()


def pss_kb(pids: list[int]) -> int:
    """Proportional set size of the processes together, kilobytes; gone processes count 0."""
    return sum(_pss_kb(pid) for pid in pids)


def _pss_kb(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    found = (int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return next(found, 0)  # none of one that ends just now


def cpu_s(pid: int) -> float:
    """User + system seconds that a process has used so far; 0 when it is gone."""
    try:
        fields = stat_fields(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
