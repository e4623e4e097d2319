"""Which image is in which slot, and what becomes of it there.

Pure but for the ring: time comes in, terminal records go out, no thread and no message. Its user
serialises the calls.

An inference function that dies gives its lock back. What it had begun is suspect (see
`PoisonDetector`) and goes alone afterwards; what it had only to publish is offered again and is
no suspect. An image that was alone in it waits until the next incarnation's lease file shows how
that one ended. One that holds a tensor longer than the time limit keeps the slot, until it lets
go of it or dies, and the image goes on in another one.
"""

from __future__ import annotations

from collections import deque
from typing import Callable, Collection, Iterable

import numpy as np

from contract.messages import ECHOED, Record, Work
from lambdas.common.log import get_logger
from lambdas.common.poison import ANY_FAULT, PoisonDetector, evidence
from lambdas.tensors.ring import (
    DONE,
    FREE,
    READY,
    RUNNING,
    SENDING,
    NoteTooLongError,
    Ring,
    Word,
)
from lambdas.worker.work import Batch, Image

_log = get_logger("transform")


class Tensor(Image):
    """An image at this function; `begun_at`: since when an inference function has it."""

    __slots__ = ("alone", "begun_at", "deaths", "ends", "killed")

    def __init__(self, batch: Batch, index: int) -> None:
        super().__init__(batch, index)
        self.deaths = 0
        self.ends: tuple[int, ...] = ()
        self.killed: tuple[str, ...] = ()
        self.alone = False
        self.begun_at: float | None = None


class _Hand:
    """What one inference function had in hand when it ended (see `poison.Held`)."""

    doubtful = False

    def __init__(self, images: list[Tensor]) -> None:
        self.images = images
        self.alone = images[0].alone


def _quarantined(tensor: Tensor) -> tuple[Tensor, Record]:
    return tensor, tensor.failed("killed_workers", evidence(tensor, "inference function"))


class Transformer:
    def __init__(self, ring: Ring, now: float, limit_s: float) -> None:
        """`limit_s`: how long an inference function may have a tensor, or be absent."""
        self._ring, self._limit_s = ring, limit_s
        self._poison = PoisonDetector(now)
        self._batches: list[Batch] = []
        self._todo: deque[Tensor] = deque()
        self._free: deque[int] = deque(range(ring.slots))
        self._offered: dict[int, Tensor] = {}
        # Slots that an inference function does not let go of, and what must leave them.
        self._stuck: dict[int, Tensor | None] = {}
        # Slots of suspects whose inference function has ended: which incarnation, and since when.
        self._pending: dict[int, tuple[Tensor, int, float]] = {}
        self._served_at = now
        self.offers = 0
        self.done = self.failed = 0

    def take(self, work: Work) -> None:
        batch = Batch(work)
        self._batches.append(batch)
        self._todo.extend(Tensor(batch, index) for index in range(len(batch.items)))

    def in_hand(self) -> list[str]:
        return list(dict.fromkeys(batch.id for batch in self._batches))

    @property
    def batches(self) -> int:
        return len(self._batches)

    def begin(self) -> tuple[Tensor, int] | None:
        """The next image and the slot to fill; None without one or the other."""
        if not self._todo or not self._free:
            return None
        slot = self._hold_free()
        return self._todo.popleft(), slot

    def offer(self, tensor: Tensor, slot: int, now_ns: int) -> Record | None:
        """The slot is filled: any inference function may take it. A record where it cannot be."""
        item = {key: tensor.item[key] for key in ECHOED if key in tensor.item}
        note = {"batch": tensor.batch.id, "item": item, "ms": tensor.ms, "size": tensor.size}
        try:
            self._ring.put_note(slot, now_ns, note)
        except NoteTooLongError as error:
            self.cancel(slot)
            return tensor.failed("too_large", str(error))
        self._offer(tensor, slot)
        return None

    def cancel(self, slot: int) -> None:
        """Nothing came of the image in this slot."""
        self._ring.set(slot, self._ring.word(slot)._replace(state=FREE))
        self._ring.release(slot)
        self._free.append(slot)

    def settle(self, tensor: Tensor, *, ok: bool) -> None:
        """The image has its result, published by whoever made it."""
        self.done += ok
        self.failed += not ok
        self.give_back(tensor)

    def give_back(self, tensor: Tensor) -> None:
        """The image is no longer in hand here; without a result the splitter sends it again."""
        batch = tensor.batch
        batch.open -= 1
        if batch.open == 0 and batch in self._batches:
            self._batches.remove(batch)

    def step(
        self,
        now: float,
        served: bool,
        stopped: Collection[int] = (),
        crashed: Callable[[int], bool | None] = lambda _incarnation: False,
    ) -> list[tuple[Tensor, Record]]:
        """Look at every slot. `served`: an inference function is alive. `stopped`: incarnations
        that do nothing at all; what they hold goes on elsewhere and is no suspect.
        `crashed`: whether an incarnation ended by a fault of its own; None: not known yet.

        Returns images that end here, with their records; they are settled by the caller.
        """
        ended: dict[int, list[tuple[int, Tensor]]] = {}
        for slot, tensor in list(self._offered.items()):
            self._look(slot, tensor, now, ended)
            if slot in self._offered and self._ring.word(slot).incarnation in stopped:
                self._pass_on(slot)
        finished = [f for who, lost in ended.items() for f in self._ended(who, lost, now)]
        if ended:  # somebody was there, if only to die at once: what is known of images stays
            self._served_at = now
        finished += self._decide(now, crashed)
        self._unstick()
        if served:
            self._served_at = now
        elif now - self._served_at > self._limit_s:
            self._served_at = now
            self._give_back()
        return finished

    def _look(
        self, slot: int, tensor: Tensor, now: float, ended: dict[int, list[tuple[int, Tensor]]]
    ) -> None:
        word = self._ring.word(slot)
        if word.state not in (RUNNING, SENDING, DONE):
            return
        if self._ring.hold(slot):
            # With the lock the word is what it says: its worker has finished, or has died.
            word = self._ring.word(slot)
            if word.state == RUNNING:
                ended.setdefault(word.incarnation, []).append((slot, tensor))
            elif word.state == SENDING:  # whether its result has left, nobody knows: once more
                self._offer(tensor, slot)
            elif word.state == DONE:
                self._leave(slot)
                self.settle(tensor, ok=True)
            else:
                self._ring.release(slot)
        elif tensor.begun_at is None:
            tensor.begun_at = now
        elif now - tensor.begun_at > self._limit_s:
            ended.setdefault(word.incarnation, []).append((slot, tensor))

    def _pass_on(self, slot: int) -> None:
        """The holder keeps the slot; the image goes on in another one."""
        if self._ring.held(slot):
            self._stuck[slot] = self._offered.pop(slot)

    def _ended(
        self, incarnation: int, lost: list[tuple[int, Tensor]], now: float
    ) -> Iterable[tuple[Tensor, Record]]:
        tensors = [tensor for _, tensor in lost]
        _log.warning(
            "an inference function ended or hung; it had %s",
            ", ".join(f"{t.item['stream']} {t.item['seq']}" for t in tensors),
        )
        slot, tensor = lost[0]
        if tensor.alone and not self._ring.held(slot):
            del self._offered[slot]
            self._pending[slot] = (tensor, incarnation, now)
            return
        who = f"incarnation {incarnation}"
        poisons = {id(t) for t in self._poison.died(who, [_Hand(tensors)], now)}
        for slot, tensor in lost:
            tensor.alone = True
            mine = not self._ring.held(slot)
            if id(tensor) in poisons:
                yield _quarantined(tensor)
            if mine and id(tensor) not in poisons:
                self._offer(tensor, slot)
            elif mine:
                self._leave(slot)
            else:
                del self._offered[slot]
                self._stuck[slot] = None if id(tensor) in poisons else tensor

    def _decide(
        self, now: float, crashed: Callable[[int], bool | None]
    ) -> Iterable[tuple[Tensor, Record]]:
        for slot, (tensor, incarnation, since) in list(self._pending.items()):
            word = crashed(incarnation)
            if word is None and now - since < self._limit_s:
                continue
            del self._pending[slot]
            end = ANY_FAULT if word else ""
            if self._poison.died(f"incarnation {incarnation}", [_Hand([tensor])], now, end):
                self.cancel(slot)
                yield _quarantined(tensor)
            else:
                self._offer(tensor, slot)

    def _unstick(self) -> None:
        for slot, tensor in list(self._stuck.items()):
            if tensor is not None and self._free:
                self._move(tensor, slot)
            if self._stuck[slot] is None and self._ring.hold(slot):
                del self._stuck[slot]
                self.cancel(slot)

    def _move(self, tensor: Tensor, slot: int) -> None:
        ring, fresh = self._ring, self._hold_free()
        np.copyto(ring.tensor(fresh), ring.tensor(slot))
        ring.put_note(fresh, ring.since_ns(slot), ring.note(slot))
        self._offer(tensor, fresh)
        self._stuck[slot] = None

    def _give_back(self) -> None:
        """Nobody runs the network: the splitter is to send again what waits here.

        It does, because heartbeats no longer name these batches: that makes no image a suspect.
        """
        if not self._batches:
            return
        _log.error(
            "no inference function for %.0f s: %d batches are given back",
            self._limit_s, len(self._batches),
        )  # fmt: skip
        for slot in list(self._offered):
            if self._ring.hold(slot):
                self._leave(slot)
        for slot in self._pending:
            self.cancel(slot)
        self._pending.clear()
        self._stuck = dict.fromkeys(self._stuck)
        self._todo.clear()
        self._batches.clear()

    def _hold_free(self) -> int:
        slot = self._free.popleft()
        if not self._ring.hold(slot):
            raise RuntimeError(f"slot {slot} is free and held")
        return slot

    def _offer(self, tensor: Tensor, slot: int) -> None:
        turn = self._ring.word(slot).turn + 1
        self._ring.set(slot, Word(turn, 0, tensor.alone, READY))
        tensor.begun_at = None
        self._offered[slot] = tensor
        self._ring.release(slot)
        self.offers += 1

    def _leave(self, slot: int) -> None:
        """A slot whose lock is held becomes free."""
        del self._offered[slot]
        self.cancel(slot)
