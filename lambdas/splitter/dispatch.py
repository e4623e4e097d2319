"""Work that goes out by credit, and work that comes back from who is gone or silent."""

from __future__ import annotations

from typing import Iterator, NamedTuple

from contract import messages as m
from lambdas.common.bus import Bus
from lambdas.common.fault_points import fault
from lambdas.common.log import about, get_logger
from lambdas.common.poison import PoisonDetector, evidence
from lambdas.common.settings import SplitterSettings
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.credit import Credit
from lambdas.splitter.journal import Journal
from lambdas.splitter.terminal import TerminalRecords, terminal_status
from lambdas.splitter.workers import Batch, Worker

_log = get_logger("splitter")


class _Given(NamedTuple):
    """A batch that is a worker's from now on, and the message that says so to it."""

    worker: Worker
    batch: Batch
    message: bytes


class Dispatch:
    def __init__(  # noqa: PLR0913, PLR0917 - what a batch is made of and passes
        self,
        settings: SplitterSettings,
        bus: Bus,
        journal: Journal,
        backlog: Backlog,
        credit: Credit,
        terminals: TerminalRecords,
        now: float,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._journal = journal
        self._backlog = backlog
        self._credit = credit
        self._terminals = terminals
        self._poison = PoisonDetector(now)
        self._batches = 0
        self.redispatched = 0

    # Back

    def recover(self, lost: dict[str, list[Batch]], what: str, now: float, end: str = "") -> None:
        for worker, batches in lost.items():
            held = [image for batch in batches for image in batch.images if _held(image, batch)]
            if not held and not any(batch.missed for batch in batches):
                continue
            _log.warning("worker %s %s; %d images go to another", worker, what, len(held))
            poisons = {id(image) for image in self._poison.died(worker, batches, now, end)}
            for image in held:
                if id(image) in poisons:
                    self._quarantine(image)
                else:
                    self._backlog.suspect(image)
            self.redispatched += len(held)

    def again(self, batch: Batch) -> None:
        for image in batch.images:
            if _held(image, batch):
                self.redispatched += 1
                if batch.alone:
                    self._backlog.suspect(image)
                else:
                    self._backlog.again(image)

    def try_elsewhere(self, batch: Batch) -> None:
        """A worker is not heard: each image alone, since one of them may have ended it."""
        for image in batch.images:
            if _held(image, batch):
                self.redispatched += 1
                self._backlog.suspect(image)

    def _quarantine(self, image: Image) -> None:
        detail = evidence(image, "worker")
        _log.error("failed, killed_workers: %s", detail, extra=about(image.item))
        self._backlog.terminate(image, terminal_status("failed", "killed_workers", detail))
        self._terminals.terminated(image)

    # Out

    def send(self, now: float, volume: str | None, others: list[tuple[str, bytes]]) -> None:
        """Work, as far as there is credit, and `others` behind it: one way through the core for
        all of them. `volume`: the identity of where the images are; None: no work now."""
        given = (
            [] if volume is None else [*self._suspects(now, volume), *self._in_turn(now, volume)]
        )
        messages = [(self._settings.work_topic + one.worker.name, one.message) for one in given]
        messages += others
        for one, taken in zip(given, self._bus.publish_all(messages) if messages else ()):
            if taken:
                fault("splitter.after_dispatch")
            else:
                # The core's queue is full: the credit returns, a later step tries again.
                self._credit.withdraw_batch(one.worker, one.batch)
                self.again(one.batch)

    def _in_turn(self, now: float, volume: str) -> Iterator[_Given]:
        lone = self._credit.idle(now) if self._backlog.waiting == 1 else None
        if lone is not None and (images := self._backlog.take(1)):
            yield self._give(lone, images, now, volume)
            return
        able = self._credit.able(now) if self._backlog.waiting else []
        while self._backlog.waiting:
            granted = self._credit.grant(self._backlog.waiting, self._settings.batch, now, able)
            if granted is None:
                return
            worker, count = granted
            images = self._backlog.take(count)
            if not images:
                return
            yield self._give(worker, images, now, volume)

    def _suspects(self, now: float, volume: str) -> Iterator[_Given]:
        while True:
            image = self._backlog.next_suspect()
            if image is None:
                self._credit.unreserve()
                return
            worker = self._credit.pick_idle(image.killed, now)
            if worker is None:
                return
            yield self._give(worker, [self._backlog.take_suspect()], now, volume, alone=True)

    def _give(
        self, worker: Worker, images: list[Image], now: float, volume: str, alone: bool = False
    ) -> _Given:
        self._batches += 1
        batch_id = f"b-{self._journal.epoch}-{self._journal.run}-{self._batches:06d}"
        batch = Batch(batch_id, images, now, alone)
        self._credit.assign(worker, batch)
        items = [
            f'{image.text[:-1]},"low":{self._backlog.low(image.stream)},"attempt":{image.attempt}}}'
            for image in images
        ]
        message = m.work_message(batch_id, batch.attempt, items, worker.incarnation, volume)
        return _Given(worker, batch, message)

    def probe(self, now: float) -> None:
        """Ask idle-handed workers that owe something: a hung one runs into its timeout."""
        for worker in self._credit.workers.values():
            if (
                worker.state == "unknown"
                or worker.trouble
                or now - worker.probed_at < self._settings.worker_timeout_s
            ):
                continue
            if worker.batches or worker.state != "ready":
                worker.probed_at = now
                topic = self._settings.work_topic + worker.name
                self._bus.publish(topic, m.probe_message(f"p-{self._batches}"))


def _held(image: Image, batch: Batch) -> bool:
    """Whether `image` is still with `batch`: not committed, not sent elsewhere since."""
    return image.batch is not None and image.batch[1] is batch
