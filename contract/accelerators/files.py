"""Cards by what the kernel tells, where NVML is missing or shows a part of them only.

All readers take the root of the file system, which a test makes.
"""

from __future__ import annotations

import os
import re

from contract.accelerators.cards import Card, Slice, same_pci

NVIDIA_VENDOR = "0x10de"
_MINOR = re.compile(r"nvidia([0-9]+)\Z")


def text_of(path: str) -> str:
    """ "" where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def listed(path: str) -> list[str]:
    """Names in a folder, in order; none where it is not there."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def cards_by_proc(root: str) -> list[Card]:
    """`/proc/driver/nvidia/gpus`: a container with plain device files sees all of the host's."""
    told = _information(root)
    used = [name for name in told if not _excluded(told[name])]
    return [_by_proc(name, told[name], place) for place, name in enumerate(used)]


def _information(root: str) -> dict[str, dict[str, str]]:
    """The driver's words about each card, by the name of its folder: its PCI address."""
    folder = os.path.join(root, "proc/driver/nvidia/gpus")
    found = {}
    for name in listed(folder):
        lines = text_of(os.path.join(folder, name, "information")).splitlines()
        pairs = (line.partition(":") for line in lines)
        found[name] = {key.strip(): value.strip() for key, _, value in pairs}
    return found


def _excluded(said: dict[str, str]) -> bool:
    """By the driver's option NVreg_ExcludedGpus: NVML does not count it."""
    return said.get("GPU Excluded") == "Yes"


def _by_proc(name: str, said: dict[str, str], place: int) -> Card:
    minor = said.get("Device Minor", "")
    uuid = said.get("GPU UUID", "")
    return Card(
        index=place,
        # Without rights the driver writes question marks.
        uuid="" if "?" in uuid else uuid,
        pci=same_pci(said.get("Bus Location") or name),
        minor=int(minor) if minor.isdigit() else None,
        name=said.get("Model", "NVIDIA GPU"),
    )


def addresses_by_sysfs(root: str) -> list[str]:
    """PCI addresses of the cards that the NVIDIA driver holds: never cut down by a container."""
    folder = os.path.join(root, "sys/bus/pci/devices")
    left_out = {same_pci(name) for name, said in _information(root).items() if _excluded(said)}
    found = (same_pci(name) for name in listed(folder) if _is_card(os.path.join(folder, name)))
    return [address for address in found if address not in left_out]


def _is_card(folder: str) -> bool:
    """A display or 3D controller: the same card's sound and USB parts are others."""
    if text_of(os.path.join(folder, "vendor")).strip() != NVIDIA_VENDOR:
        return False
    driver = os.path.basename(os.path.realpath(os.path.join(folder, "driver")))
    return text_of(os.path.join(folder, "class")).startswith("0x03") and driver == "nvidia"


def minors_here(root: str) -> list[int]:
    """N of the `/dev/nvidiaN` that are here."""
    found = (_MINOR.match(name) for name in listed(os.path.join(root, "dev")))
    return sorted(int(match.group(1)) for match in found if match)


def is_jetson(root: str) -> bool:
    """A Tegra board, by its release file or its device tree."""
    if os.path.exists(os.path.join(root, "etc/nv_tegra_release")):
        return True
    return "nvidia,tegra" in text_of(os.path.join(root, "proc/device-tree/compatible"))


def slice_files(root: str, card: Card, part: Slice) -> list[str]:
    """`/dev/nvidia-caps/…` of a MIG slice, by the driver's own list."""
    minors: dict[str, str] = {}
    for line in text_of(os.path.join(root, "proc/driver/nvidia-caps/mig-minors")).splitlines():
        name, _, minor = line.strip().rpartition(" ")
        minors[name] = minor
    instance = f"gpu{card.minor}/gi{part.gi}"
    names = [f"{instance}/access", f"{instance}/ci{part.ci}/access"]
    return [f"/dev/nvidia-caps/nvidia-cap{minors[name]}" for name in names if name in minors]
