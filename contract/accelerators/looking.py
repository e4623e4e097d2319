"""The cards of this host, put together from everything that can be asked from here."""

from __future__ import annotations

from dataclasses import replace
from typing import AbstractSet, Sequence

from contract.accelerators.cards import Card, Inventory
from contract.accelerators.files import addresses_by_sysfs, cards_by_proc, is_jetson, minors_here
from contract.accelerators.nvml import cards_by_nvml


def look(root: str = "/", nvml: bool = True) -> Inventory:
    """Ask NVML, `/proc` and `/sys`; no card at all is a normal case.

    NVML is a library of this machine, whatever `root` is: it is asked unless `nvml` is False.
    """
    by_nvml, remarks = cards_by_nvml() if nvml else (None, [])
    by_proc = cards_by_proc(root)
    found = together(by_nvml, by_proc, addresses_by_sysfs(root), minors_here(root))
    if not found and is_jetson(root):
        found = [Card(index=0, name="Tegra", integrated=True)]
    return Inventory(tuple(found), tuple(remarks))


def together(
    by_nvml: Sequence[Card] | None,
    by_proc: Sequence[Card],
    by_sysfs: Sequence[str],
    minors: Sequence[int],
) -> list[Card]:
    """One list in the host's order. Pure.

    NVML's index counts where it sees every card. A container cuts NVML's list and starts it at 0
    again; then a card's index is its rank by PCI address among all that the kernel names, which
    is the order that NVML has outside.
    """
    known: dict[str, Card] = {card.pci: card for card in by_proc}
    known.update({card.pci: card for card in by_nvml or ()})
    addresses = sorted({*known, *by_sysfs})
    if by_nvml is not None and len(addresses) == len(by_nvml):
        return list(by_nvml)
    open_here = {card.pci for card in by_nvml} if by_nvml is not None else None
    return [
        _ranked(known.get(address, Card(index=0, pci=address)), index, open_here, minors)
        for index, address in enumerate(addresses)
    ]


def _ranked(
    card: Card, index: int, open_here: AbstractSet[str] | None, minors: Sequence[int]
) -> Card:
    """Without NVML a card can be opened where its device file is."""
    visible = card.minor in minors if open_here is None else card.pci in open_here
    return replace(card, index=index, visible=visible)
