"""CPU, memory, isolation → a profile, in the profile schema's own words."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import Any

from fanfold.detect.gpus import find_gpus, shared_devices

ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64", "armv7l": "armv7l"}
#: Kept for the system, the core, the splitter and the aggregator: see profile-and-site.md.
RESERVED_MB = 512


def detect(name: str, root: Path = Path("/")) -> tuple[dict[str, Any], list[str]]:
    """A profile of this machine and remarks for the person; `root` is for tests.

    Raises `ValueError` for an architecture that Greengrass V1 does not run on.
    """
    memory_mb = _memory_mb(root)
    cores = len(os.sched_getaffinity(0))
    gpus, remarks = find_gpus(root, memory_mb)
    supported = _containers(root)
    profile: dict[str, Any] = {
        "name": name,
        "description": f"{_cpu(root)}, {cores} cores, {len(gpus) or 'no'} GPU, found by detect",
        "architecture": _architecture(),
        "cpu_cores": cores,
        "memory_mb": memory_mb,
        "gpus": gpus,
        "devices": shared_devices(root) if gpus else [],
        "containers": {"supported": supported},
        # Two cores are too few to keep one idle; a small memory cannot spare as much.
        "reserved": {
            "cores": 0 if cores <= 2 else 1,
            "memory_mb": min(RESERVED_MB, memory_mb // 4),
        },
    }
    shared_mb = _shared_memory_mb(root)
    if shared_mb < memory_mb * 45 // 100:  # less than the half that Linux gives by default
        profile["shared_memory_mb"] = shared_mb
        remarks.append(
            f"shared memory has {shared_mb} MB: strategy decoupled keeps its tensors there"
        )
    if not gpus:
        remarks.append("no GPU found: the profile is of a CPU device")
    if not supported:
        remarks.append("containers: neither cgroup v1 with overlayfs nor bubblewrap was found")
    return {key: value for key, value in profile.items() if value != []}, remarks


def _architecture() -> str:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise ValueError(
            f"architecture {machine}: Greengrass V1 runs on {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[machine]


def _memory_mb(root: Path) -> int:
    for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    raise ValueError(f"{root / 'proc/meminfo'} has no MemTotal")


def _shared_memory_mb(root: Path) -> int:
    """0 where there is no /dev/shm."""
    try:
        facts = os.statvfs(root / "dev/shm")
    except OSError:
        return 0
    return facts.f_frsize * facts.f_blocks >> 20


def _cpu(root: Path) -> str:
    text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "CPU of an unknown model"


def _containers(root: Path) -> bool:
    """AWS's core needs cgroup v1 and overlayfs; the embedded core makes do with bubblewrap."""
    filesystems = (root / "proc/filesystems").read_text(encoding="ascii")
    v1 = all((root / "sys/fs/cgroup" / each).is_dir() for each in ("memory", "devices"))
    return (v1 and "overlay" in filesystems) or shutil.which("bwrap") is not None
