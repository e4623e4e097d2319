"""From a `GPU_ID` to one card and the variables that leave a process only that card. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, NamedTuple, Sequence

from contract.accelerators.cards import AcceleratorError, Card, GpuId, Slice, bare

ORDER = "CUDA_DEVICE_ORDER"
VISIBLE = "CUDA_VISIBLE_DEVICES"
#: UUIDs that the plan or the core has found already: of `GPU_ID`, or one for each GPU of a pool.
UUID_VARIABLE = "FANFOLD_GPU_UUID"
UUIDS_VARIABLE = "FANFOLD_GPU_UUIDS"


class Choice(NamedTuple):
    """`ordinal`: what the runtime is asked for, in a process with `environment`.

    `uuid` "": the card has none or it is not known, and `ordinal` is all there is.
    """

    gpu_id: GpuId
    ordinal: int
    uuid: str = ""
    card: Card | None = None
    slice: Slice | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {ORDER: "PCI_BUS_ID", **({VISIBLE: self.uuid} if self.uuid else {})}


def choose(
    gpu_id: GpuId, cards: Sequence[Card], told: str = "", restriction: str | None = None
) -> Choice:
    """`told`: the UUID that somebody has named, which wins over the index. `restriction`: a
    `CUDA_VISIBLE_DEVICES` that was there already: the index counts within it.

    Without any known card the driver decides. Raises `AcceleratorError`.
    """
    if told:
        return _by_uuid(gpu_id, cards, told)
    if not cards:
        return Choice(gpu_id, gpu_id.index)
    allowed = list(cards)
    if restriction is not None:
        allowed = [replace(c, index=n) for n, c in enumerate(within(cards, restriction))]
    card = next((each for each in allowed if each.index == gpu_id.index), None)
    if card is None:
        raise AcceleratorError(_absent(gpu_id, allowed, restriction))
    _openable(gpu_id, card)
    if card.mig or gpu_id.slice is not None:
        return _slice(gpu_id, card)
    if card.uuid:
        return Choice(gpu_id, 0, card.uuid, card)
    visible = [each.pci for each in allowed if each.visible]
    return Choice(gpu_id, visible.index(card.pci), "", card)


def within(cards: Sequence[Card], restriction: str) -> list[Card]:
    """The cards that CUDA would leave a process: indices in PCI order or UUID prefixes.

    The first entry that is none ends the list, one given twice empties it (CUDA C++ guide).
    """
    found: list[Card] = []
    visible = [card for card in cards if card.visible]
    for entry in (part.strip() for part in restriction.split(",")):
        card = _entry(entry, visible)
        if card is None:
            break
        if card in found:
            return []
        found.append(card)
    return found


def _entry(entry: str, cards: Sequence[Card]) -> Card | None:
    if entry.isdigit():
        return cards[int(entry)] if int(entry) < len(cards) else None
    if entry.upper().startswith("MIG-"):
        named = [card for card in cards for each in card.slices if _same(each.uuid, entry)]
    else:
        matches = entry.upper().startswith("GPU-") and len(entry) > 4
        named = [card for card in cards if matches and card.uuid.lower().startswith(entry.lower())]
    return named[0] if len(named) == 1 else None


def problem(choice: Choice, uuid: str, pci: str, count: int) -> str:
    """What is wrong with the device that CUDA gave as the ordinal; "": it is the right one."""
    name = f"GPU_ID={choice.gpu_id}"
    if choice.uuid and not _same(choice.uuid, uuid):
        old = choice.slice is not None and choice.card is not None and choice.card.pci == pci
        if not old:  # a driver before CUDA 11.4 names a slice's card
            return (
                f"{name} is {choice.uuid} and CUDA gave {uuid} ({pci}): nothing is computed on "
                "another card's memory; look for CUDA_VISIBLE_DEVICES in the profile's environment"
            )
    if not choice.uuid and choice.card is not None and choice.card.pci not in ("", pci):
        return f"{name} is the card at {choice.card.pci} and CUDA gave the one at {pci}"
    if choice.uuid and count != 1:
        return f"{name}: {VISIBLE}={choice.uuid} leaves {count} devices instead of one"
    return ""


def assigned_uuid(gpu_id: str, env: Mapping[str, str]) -> str:
    """The UUID of one of a pool's GPUs, of the lists that belong together; "": not told."""
    ids = [part.strip() for part in env.get("FANFOLD_GPU_IDS", "").split(",")]
    uuids = [part.strip() for part in env.get(UUIDS_VARIABLE, "").split(",")]
    return dict(zip(ids, uuids)).get(gpu_id, "")


def _by_uuid(gpu_id: GpuId, cards: Sequence[Card], told: str) -> Choice:
    for card in cards:
        for part in card.slices:
            if _same(part.uuid, told):
                _openable(gpu_id, card)
                return Choice(gpu_id, 0, part.uuid, card, part)
        if card.uuid and _same(card.uuid, told):
            _openable(gpu_id, card)
            return _slice(gpu_id, card) if card.mig else Choice(gpu_id, 0, card.uuid, card)
    if any(card.uuid for card in cards):
        raise AcceleratorError(
            f"GPU_ID={gpu_id}: the profile says that it is {told}, and this machine has "
            f"{_listed(cards)}. Was the card changed, or is it another machine? Run `fanfold "
            "detect` here, or remove the uuid from the profile"
        )
    return Choice(gpu_id, 0, told)


def _openable(gpu_id: GpuId, card: Card) -> None:
    if not card.visible:
        file = "its device file" if card.minor is None else f"/dev/nvidia{card.minor}"
        raise AcceleratorError(
            f"GPU_ID={gpu_id}: the card {card} is in this machine, but this process may not open "
            f"it: add {file} to gpus[].devices of the profile (`fanfold detect` writes it)"
        )


def _slice(gpu_id: GpuId, card: Card) -> Choice:
    if not card.mig:
        raise AcceleratorError(
            f"GPU_ID={gpu_id}: the card {card} is not in MIG mode; use GPU_ID={gpu_id.index}"
        )
    parts = card.slices
    place = gpu_id.slice if gpu_id.slice is not None else (0 if len(parts) == 1 else len(parts))
    if place >= len(parts):
        raise AcceleratorError(
            f"GPU_ID={gpu_id}: the card {card} is in MIG mode and has {len(parts)} slices; "
            f"name one, {gpu_id.index}:0 to {gpu_id.index}:{len(parts) - 1} (gpus[].mig)"
            if parts
            else f"GPU_ID={gpu_id}: the card {card} is in MIG mode and has no slice; make some "
            "(nvidia-smi mig -cgi …) or end MIG mode"
        )
    return Choice(gpu_id, 0, parts[place].uuid, card, parts[place])


def _absent(gpu_id: GpuId, allowed: Sequence[Card], restriction: str | None) -> str:
    within_it = "" if restriction is None else f" within {VISIBLE}={restriction}"
    return (
        f"GPU_ID={gpu_id}: this machine has {len(allowed)} NVIDIA GPUs{within_it}: "
        f"{_listed(allowed)}. Check the driver (nvidia-smi), or write the profile anew with "
        "`fanfold detect`; GPU_ID=-1 uses the CPU"
    )


def _listed(cards: Sequence[Card]) -> str:
    return "; ".join(str(card) for card in cards) or "none"


def _same(one: str, other: str) -> bool:
    return bare(one) == bare(other)
