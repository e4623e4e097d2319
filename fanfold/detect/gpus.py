"""GPUs of this machine, as a profile has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contract.accelerators.cards import Card
from contract.accelerators.files import is_jetson, slice_files
from contract.accelerators.looking import look

#: What every CUDA program opens; beside it each GPU has its own /dev/nvidiaN.
SHARED_DEVICES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
JETSON_DEVICES = (
    "nvhost-ctrl", "nvhost-gpu", "nvhost-ctrl-gpu", "nvhost-as-gpu", "nvhost-prof-gpu", "nvmap",
)  # fmt: skip


def find_gpus(root: Path, memory_mb: int) -> tuple[list[dict[str, Any]], list[str]]:
    """`gpus` of a profile, and remarks on what could not be known. `memory_mb`: the machine's."""
    found = look(str(root), nvml=root == Path("/"))
    remarks = list(found.remarks)
    gpus = [_entry(root, card, memory_mb, remarks) for card in found.cards]
    return gpus, remarks


def shared_devices(root: Path) -> list[str]:
    """Device files that every GPU of this machine needs."""
    names = JETSON_DEVICES if is_jetson(str(root)) else SHARED_DEVICES
    return [f"/dev/{name}" for name in names if (root / "dev" / name).exists()]


def _entry(root: Path, card: Card, memory_mb: int, remarks: list[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"index": card.index, "model": card.name}
    if card.integrated:
        entry |= {"memory_mb": memory_mb, "shares_memory": True}
    elif card.memory_mb:
        entry["memory_mb"] = card.memory_mb
    else:
        entry["memory_mb"] = 1
        remarks.append(
            f"gpus: memory_mb of GPU {card.index} is not known without the driver's library "
            "libnvidia-ml.so.1: 1 stands there, put in the true number"
        )
    entry |= {key: value for key, value in (("uuid", card.uuid), ("pci", card.pci)) if value}
    device = f"dev/nvidia{card.minor}"
    if card.minor is not None and (root / device).exists():
        entry["devices"] = [f"/{device}"]
    if card.mig:
        entry["mig"] = _slices(root, card)
        if not entry["mig"]:
            remarks.append(f"GPU {card.index} is in MIG mode without a slice: nothing can use it")
    return entry


def _slices(root: Path, card: Card) -> list[dict[str, Any]]:
    found = []
    for part in card.slices:
        slice_: dict[str, Any] = {"uuid": part.uuid, "memory_mb": part.memory_mb or 1}
        slice_["model"] = part.name
        files = slice_files(str(root), card, part)
        found.append({**slice_, **({"devices": files} if files else {})})
    return found
