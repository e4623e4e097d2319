"""Answers of RequestResponse invocations, kept until the caller fetches them. No IO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MAX_KEPT = 1024
Deliver = Callable[[bytes, str], None]


@dataclass(slots=True)
class _Slot:
    owner: str
    answer: tuple[bytes, str] | None = None
    deliver: Deliver | None = None


class Results:
    """One slot per invocation, readable by its owner only, once."""

    def __init__(self) -> None:
        self._slots: dict[str, _Slot] = {}

    def expect(self, invocation_id: str, owner: str) -> Callable[[bytes, str], None]:
        """Open a slot; returns the function that fills it. The oldest slot gives way."""
        while len(self._slots) >= MAX_KEPT:
            del self._slots[next(iter(self._slots))]
        slot = self._slots[invocation_id] = _Slot(owner)

        def fill(payload: bytes, error: str) -> None:
            if slot.deliver is not None:
                self._slots.pop(invocation_id, None)
                slot.deliver(payload, error)
            else:
                slot.answer = (payload, error)

        return fill

    def fetch(self, invocation_id: str, owner: str, deliver: Deliver) -> bool:
        """Deliver the answer now or when it comes. False: no such invocation of ``owner``."""
        slot = self._slots.get(invocation_id)
        if slot is None or slot.owner != owner:
            return False
        if slot.answer is None:
            slot.deliver = deliver
        else:
            del self._slots[invocation_id]
            deliver(*slot.answer)
        return True

    def forget_owner(self, owner: str) -> None:
        """The caller is gone."""
        for invocation_id in [i for i, s in self._slots.items() if s.owner == owner]:
            del self._slots[invocation_id]
