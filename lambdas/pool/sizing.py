"""How many processes, on which GPUs, found at run time."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Mapping, Sequence

from contract.accelerators.cards import GpuId, parse_gpu_id
from contract.accelerators.choosing import VISIBLE, within
from contract.accelerators.looking import look


def gpus_here(root: str = "/", env: Mapping[str, str] = os.environ) -> list[GpuId]:
    """The cards, and slices of cards, that this process may open; none without a driver."""
    cards = list(look(root).cards)
    if VISIBLE in env:
        cards = [replace(c, index=n) for n, c in enumerate(within(cards, env[VISIBLE]))]
    found: list[GpuId] = []
    for card in (each for each in cards if each.visible):
        parts = [GpuId(card.index, place) for place in range(len(card.slices))]
        found += parts if card.mig else [GpuId(card.index)]
    return found


def cores_here() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def processes(wanted: str, gpu_ids: Sequence[GpuId]) -> int:
    """`auto`: one for each GPU, else one for each core. Raises `ValueError`."""
    if wanted in ("", "auto"):
        return len(gpu_ids) or cores_here()
    if not wanted.isdigit() or not 1 <= int(wanted) <= 256:
        raise ValueError(f"pool workers {wanted!r}: use auto, or 1 to 256")
    return int(wanted)


def parse_gpus(listed: str) -> list[GpuId]:
    """`0,1:2` → card 0, slice 2 of card 1; `auto`: those that are here; empty: the CPU.

    Raises `ValueError`.
    """
    if listed == "auto":
        return gpus_here()
    try:
        found = [parse_gpu_id(part) for part in listed.split(",") if part.strip()]
    except ValueError as error:
        raise ValueError(f"GPU ids {listed!r}: {error}") from None
    if any(gpu.index < 0 for gpu in found):
        raise ValueError(f"GPU ids {listed!r}: use auto, or numbers with commas, e.g. 0,1")
    return found
