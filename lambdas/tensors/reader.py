"""What an inference function takes from the rings: the tensor that has waited longest first.

Nobody assigns work. Whoever is free takes the next tensor of any ring by taking its lock,
so the least loaded worker, or the fastest, gets the most.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from contract.messages import Record, result_failed
from lambdas.common.log import get_logger
from lambdas.model.geometry import Size
from lambdas.tensors.folder import TENSORS_FIFO, Folder, WakeFifo, is_at, short_incarnation
from lambdas.tensors.ring import DONE, READY, RUNNING, SENDING, Ring, Word, open_ring

_log = get_logger("tensors")


class Claim:
    """One tensor in hand: nobody else works with its slot until `finish`."""

    def __init__(self, ring: Ring, slot: int, word: Word, fifo: WakeFifo) -> None:
        self._ring, self._slot, self._word, self._fifo = ring, slot, word, fifo
        note = ring.note(slot)
        self.item: Record = note["item"]
        self.ms: Record = note["ms"]
        self.batch: str = note["batch"]
        size = note.get("size")
        self.size: Size | None = Size(*size) if size else None

    @property
    def alone(self) -> bool:
        return self._word.alone

    @property
    def tensor(self) -> np.ndarray:
        return self._ring.tensor(self._slot)

    def sending(self) -> None:
        """The network has answered: from here on nothing of this image can end the worker."""
        self._ring.set(self._slot, self._word._replace(state=SENDING))

    def finish(self) -> None:
        """Its result is published."""
        self._ring.set(self._slot, self._word._replace(state=DONE))
        self._ring.release(self._slot)
        self._fifo.wake()

    def failed(self, reason: str, detail: str) -> Record:
        return result_failed(self.item, reason, detail, self.ms)


class Reader:
    """One thread calls it; `Claim`s may go to another."""

    def __init__(
        self, folder: Folder, transforms: tuple[str, ...], incarnation: str, model: str
    ) -> None:
        """`model`: SHA-256 of the package; rings of another model are left alone."""
        folder.sweep_others(transforms)
        self._folder, self._model = folder, model
        self._incarnation = short_incarnation(incarnation)
        self._rings: dict[str, Ring | None] = dict.fromkeys(transforms)
        self._fifos = {name: folder.fifo(name) for name in transforms}
        self._fifo = folder.fifo(TENSORS_FIFO)

    def take(self, limit: int) -> list[Claim]:
        """Up to `limit` tensors; one that goes alone comes alone."""
        claims: list[Claim] = []
        for _, name, ring, slot in sorted(self._waiting(), key=_by_age):
            if claims and ring.word(slot).alone:
                continue
            claim = self._claim(name, ring, slot)
            if claim is not None:
                claims.append(claim)
                if claim.alone or len(claims) == limit:
                    break
        if claims:
            self._fifo.take(len(claims))  # one wake-up for each, so that none is left over
        return claims

    def look_within(self, timeout_s: float) -> None:
        """Until a tensor may be there; then the rings may also be new ones."""
        self._fifo.is_woken_within(timeout_s)
        self.refresh()

    def refresh(self) -> None:
        """Look which rings there are. A new one means that the old one's owner has ended."""
        for name, ring in self._rings.items():
            path = self._folder.ring(name)
            if ring is not None and is_at(path, ring.identity):
                continue
            # What is in hand of the old one keeps it; the memory goes with the last of it.
            self._rings[name] = found = open_ring(path, self._model)
            if found is not None:
                _log.info("%s: %d slots", path, found.slots)

    def _waiting(self) -> list[tuple[int, str, Ring, int]]:
        return [
            (ring.since_ns(slot), name, ring, slot)
            for name, ring in self._rings.items()
            if ring is not None
            for slot in range(ring.slots)
            if ring.state(slot) == READY
        ]

    def _claim(self, name: str, ring: Ring, slot: int) -> Claim | None:
        if not ring.hold(slot):
            return None
        word = ring.word(slot)
        if word.state != READY:  # another worker was here first
            ring.release(slot)
            return None
        mine = word._replace(incarnation=self._incarnation, state=RUNNING)
        ring.set(slot, mine)
        return Claim(ring, slot, mine, self._fifos[name])


def _by_age(waiting: tuple[int, Any, Any, Any]) -> int:
    return waiting[0]
