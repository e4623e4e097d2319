"""A worker as the splitter knows it, and the images that it has in hand. Pure."""

from __future__ import annotations

from typing import Any

from lambdas.splitter.pace import Pace


class Batch:
    """Images on one worker; `open` counts those without a committed record.

    `missed`: given to others while its worker is not heard.
    """

    __slots__ = (
        "absent", "alone", "attempt", "doubtful", "id", "images", "missed", "open", "sent_at",
    )  # fmt: skip

    def __init__(self, batch_id: str, images: list[Any], now: float, alone: bool) -> None:
        self.id = batch_id
        self.images = images
        self.open = len(images)
        self.attempt = 1 + max(image.attempt for image in images)
        self.sent_at = now
        self.absent = 0
        self.doubtful = False
        self.alone = alone
        self.missed = False


class Worker:
    """`state`: unknown (not heard yet), ready, silent or hung; `drained`: an operator's wish.

    `load`: images in hand without a committed record; `alone`: batches among them that must be the
    only one. Counts, since they are asked of every worker at every batch.
    `has_unknown_batches`: its last heartbeat named batches that are not, or no more, of this
    splitter: of its process before a restart, or given to others meanwhile.
    `paused_until`: the core is exchanging its model.
    `trouble`: why it cannot read images now: it gets none.
    """

    __slots__ = (
        "alone", "batches", "busy_ms", "done", "drained", "has_unknown_batches", "heard_at",
        "incarnation", "load", "missed", "model", "name", "pace", "paused_until", "probed_at",
        "state", "trouble",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "unknown"
        self.incarnation = ""
        self.heard_at = 0.0
        self.probed_at = 0.0
        self.busy_ms = 0.0
        self.done = 0
        self.drained = False
        self.paused_until = 0.0
        self.has_unknown_batches = False
        self.trouble = ""
        self.pace = Pace()
        self.model: Any = None
        self.batches: dict[str, Batch] = {}
        self.missed: list[Batch] = []
        self.load = self.alone = 0

    def take(self, batch: Batch) -> None:
        self.batches[batch.id] = batch
        self.load += batch.open
        self.alone += batch.alone

    def drop(self, batch: Batch) -> None:
        """It has no part in this batch any more."""
        if self.batches.pop(batch.id, None) is batch:
            self.load -= batch.open
            self.alone -= batch.alone

    def drop_all(self) -> None:
        self.batches.clear()
        self.load = self.alone = 0

    def finished(self, batch: Batch) -> None:
        """One image of a batch is committed, whoever has the batch by now."""
        batch.open -= 1
        self.done += 1
        if self.batches.get(batch.id) is batch:
            self.load -= 1
            if batch.open == 0:
                del self.batches[batch.id]
                self.alone -= batch.alone

    @property
    def shown_state(self) -> str:
        """For the stats: a drained worker that does not answer is still silent or hung."""
        if self.trouble and self.state == "ready":
            return "blocked"
        if (self.drained or self.paused_until) and self.state == "ready":
            return "draining" if self.batches else "drained"
        return self.state


def withheld(worker: Worker) -> bool:
    """It may be well, and gets no new work."""
    return worker.drained or bool(worker.paused_until) or bool(worker.trouble)
