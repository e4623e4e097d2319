"""How many processes, on which GPUs, found at run time."""

from __future__ import annotations

import os

GPUS_DIR = "/proc/driver/nvidia/gpus"


def gpus_here(folder: str = GPUS_DIR) -> list[int]:
    """Indices of the GPUs that NVIDIA's driver names; none without it."""
    try:
        return list(range(len(os.listdir(folder))))
    except OSError:
        return []


def cores_here() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def processes(wanted: str, gpu_ids: list[int]) -> int:
    """`auto`: one for each GPU, else one for each core. Raises `ValueError`."""
    if wanted in ("", "auto"):
        return len(gpu_ids) or cores_here()
    if not wanted.isdigit() or not 1 <= int(wanted) <= 256:
        raise ValueError(f"pool workers {wanted!r}: use auto, or 1 to 256")
    return int(wanted)


def parse_gpus(listed: str) -> list[int]:
    """`0,1` → [0, 1]; `auto`: those that are here; empty: the CPU. Raises `ValueError`."""
    if listed == "auto":
        return gpus_here()
    parts = [part.strip() for part in listed.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise ValueError(f"GPU ids {listed!r}: use auto, or numbers with commas, e.g. 0,1")
    return [int(part) for part in parts]
