"""The nouns: a card, a MIG slice of one, and what `GPU_ID` says. Pure."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Mapping

_GPU_ID = re.compile(r"(-?[0-9]{1,10})(?::([0-9]{1,3}))?\Z")


class AcceleratorError(ValueError):
    """A `GPU_ID` that cannot be had here; the text says what is there and what to do."""


@dataclass(frozen=True)
class GpuId:
    """`index` of the card on its host, negative: the CPU; `slice` of a card in MIG mode."""

    index: int
    slice: int | None = None

    def __str__(self) -> str:
        return str(self.index) if self.slice is None else f"{self.index}:{self.slice}"


@dataclass(frozen=True)
class Slice:
    """A MIG device: `gi` and `ci`, its GPU and compute instance; memory in megabytes."""

    uuid: str
    name: str = ""
    memory_mb: int = 0
    gi: int = 0
    ci: int = 0


@dataclass(frozen=True)
class Card:
    """One NVIDIA GPU as its host counts it.

    `minor`: of `/dev/nvidiaN`; None: not known. `visible` False: the host has it and this
    process may not open it. `mig`: it is in MIG mode, and only its `slices` compute.
    `integrated`: it shares the machine's memory (Jetson); such a card may have no UUID.
    """

    index: int
    uuid: str = ""
    pci: str = ""
    minor: int | None = None
    name: str = "NVIDIA GPU"
    memory_mb: int = 0
    mig: bool = False
    slices: tuple[Slice, ...] = ()
    visible: bool = True
    integrated: bool = False

    def __str__(self) -> str:
        return f"{self.index} = {self.uuid or self.name} ({self.pci or 'no PCI address'})"


@dataclass(frozen=True)
class Inventory:
    """The cards of the host, by index, and what could not be learned about them."""

    cards: tuple[Card, ...] = ()
    remarks: tuple[str, ...] = ()


def parse_gpu_id(text: str) -> GpuId:
    """`1`, `0:2` (slice 2 of card 0, NVIDIA's own notation) or `-1`. Raises `ValueError`."""
    match = _GPU_ID.match(text.strip())
    if match is None or int(match.group(1)) > 255:
        raise ValueError(
            f"GPU_ID={text!r}: use the card's index (0 to 255), card:slice for a MIG slice, "
            "or -1 for the CPU"
        )
    part = match.group(2)
    return GpuId(int(match.group(1)), None if part is None else int(part))


def as_json(found: Inventory) -> dict[str, Any]:
    """Plain values, for another process."""
    return asdict(found)


def from_json(value: Mapping[str, Any]) -> Inventory:
    """The inverse of `as_json`. Raises `TypeError` and `KeyError` for anything else."""
    cards = [
        Card(**{**card, "slices": tuple(Slice(**each) for each in card["slices"])})
        for card in value["cards"]
    ]
    return Inventory(tuple(cards), tuple(value["remarks"]))


def same_pci(address: str) -> str:
    """One spelling of a PCI address: `00000000:3B:00.0` and `0000:3b:00.0` are the same slot."""
    parts = address.strip().lower().split(":")
    if len(parts) != 3:
        return address.strip().lower()
    return ":".join([parts[0].lstrip("0").rjust(4, "0"), *parts[1:]])


def bare(uuid: str) -> str:
    """The hexadecimal digits: `GPU-` and `MIG-` are in front of the same 16 bytes."""
    return re.sub(r"[^0-9a-f]", "", uuid.lower().replace("gpu-", "").replace("mig-", ""))
