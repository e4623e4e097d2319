"""GPUs: by NVML where its bindings are installed, else what the driver says in /proc."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

JETSON = "etc/nv_tegra_release"
PROC_GPUS = "proc/driver/nvidia/gpus"
#: What every CUDA program opens; beside it each GPU has its own /dev/nvidiaN.
SHARED_DEVICES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
JETSON_DEVICES = (
    "nvhost-ctrl", "nvhost-gpu", "nvhost-ctrl-gpu", "nvhost-as-gpu", "nvhost-prof-gpu", "nvmap",
)  # fmt: skip


def find_gpus(root: Path, memory_mb: int) -> tuple[list[dict[str, Any]], list[str]]:
    """`gpus` of a profile, and remarks on what could not be known."""
    if (root / JETSON).exists():
        gpu = {"index": 0, "model": "Tegra", "memory_mb": memory_mb, "shares_memory": True}
        return [gpu], []
    found = _by_nvml() if root == Path("/") else []
    if found:
        return [_with_device(root, gpu) for gpu in found], []
    return _by_proc(root)


def shared_devices(root: Path) -> list[str]:
    """Device files that every GPU of this machine needs."""
    names = JETSON_DEVICES if (root / JETSON).exists() else SHARED_DEVICES
    return [f"/dev/{name}" for name in names if (root / "dev" / name).exists()]


def _by_nvml() -> list[dict[str, Any]]:
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # not installed, no driver, or a driver that does not answer: all "no GPU"
        return []
    try:
        return [_ask(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
    finally:
        nvml.nvmlShutdown()


def _ask(nvml: Any, index: int) -> dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    name = nvml.nvmlDeviceGetName(handle)
    return {
        "index": index,
        "model": name.decode() if isinstance(name, bytes) else name,
        "memory_mb": nvml.nvmlDeviceGetMemoryInfo(handle).total >> 20,
    }


def _by_proc(root: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The driver names model and minor number there, but not the memory."""
    gpus: list[dict[str, Any]] = []
    for information in sorted((root / PROC_GPUS).glob("*/information")):
        lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        index = int(fields.get("Device Minor", str(len(gpus))).strip())
        model = fields.get("Model", "NVIDIA GPU").strip()
        gpus.append(_with_device(root, {"index": index, "model": model, "memory_mb": 1}))
    remark = (
        "gpus: memory_mb is not known without NVML (pip install nvidia-ml-py): 1 stands there, "
        "put in the true number"
    )
    return gpus, [remark] if gpus else []


def _with_device(root: Path, gpu: dict[str, Any]) -> dict[str, Any]:
    device = f"dev/nvidia{gpu['index']}"
    return {**gpu, "devices": [f"/{device}"]} if (root / device).exists() else gpu
