"""The splitter: accept durably, dispatch by credit, forget when committed downstream.

One step takes all messages that came, commits once, then sends. What must survive is in
the journal; everything else is rebuilt from it and from what workers and aggregator say.
"""

from __future__ import annotations

import json
from typing import Any

from contract import messages as m
from lambdas.common.bus import Bus
from lambdas.common.fault_points import fault
from lambdas.common.health import HealthReport
from lambdas.common.log import Throttle, about, get_logger
from lambdas.common.loop import Message, Part
from lambdas.common.poison import PoisonDetector, evidence
from lambdas.common.settings import SplitterSettings
from lambdas.splitter.admission import Admission
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.credit import Batch, Credit, Worker
from lambdas.splitter.custody import FULL, Custody
from lambdas.splitter.journal import Journal, JournalFullError
from lambdas.splitter.link import Link
from lambdas.splitter.losses import Losses
from lambdas.splitter.terminal import TerminalRecords, terminal_status
from lambdas.splitter.volume import Volume

STATS_EVERY_S = 1.0
FLUSH_EVERY_S = 0.25
# Of all streams together, so that the question fits a message.
RANGES_PER_SYNC = 3_000

_log = get_logger("splitter")


class Splitter(Part):
    def __init__(self, settings: SplitterSettings, bus: Bus, now: float) -> None:
        self._settings = settings
        self._bus = bus
        self.journal = Journal(f"{settings.own_state_dir}/journal.sqlite3", settings.journal_bytes)
        self.backlog = Backlog()
        self.credit = Credit(
            settings.workers, settings.window, settings.batch, settings.worker_timeout_s
        )
        self.link = Link(self.journal, self._numbers, now)
        self.custody = Custody(settings.images_dir, settings.custody, settings.custody_bytes)
        self.volume = Volume(settings.images_dir, self.journal.volume, self.journal.remember_volume)
        self._swept = False
        self.terminals = TerminalRecords(self.journal)
        self._poison = PoisonDetector(now)
        self.admission = Admission(
            settings, self.journal, self.backlog, self.custody, self.volume, self.terminals
        )
        self._health = HealthReport(settings, settings.health, "splitter", bus, now)
        self._batches = 0
        self._stats_at = self._flush_at = now
        self._throttle = Throttle(10.0)
        self.done = self._stats_done = 0
        self.redispatched = 0
        self.credit.drain(self.journal.drained, on=True)
        self._load()
        self._losses = Losses(self.journal, self.backlog, self.terminals)

    def _load(self) -> None:
        for text, terminal in self.journal.unfinished():
            image = Image(json.loads(text), terminal)
            self.custody.holds(image.item)
            self.backlog.add(image)
            if terminal:
                self.terminals.add(image)
        if self.backlog.outstanding:
            _log.info("%d images wait in the journal", self.backlog.outstanding)

    def step(self, messages: list[Message], now: float, wall: float) -> None:
        self.journal.tick(now)
        self.volume.look(now, empty=not self.backlog.outstanding)
        if self.volume.ready and not self._swept:
            self._sweep()
        for message in messages:
            self._sort(message, now)
        self.admission.admit(self.link.ready, now, wall)
        replies = self._commit(now)
        if self._settings.on_demand:
            self.credit.assume(now)
        self._recover(self.credit.silent(now), "answers no more", now)
        if self.link.alive(now):
            for batch in self.credit.missing(now):
                self._try_elsewhere(batch)
        self._dispatch(now)
        self._publish(replies)
        if replies:
            fault("splitter.after_accepted")
        self._publish(self.link.due(self._settings.done_topic, now))
        self._publish(self.terminals.due(self._settings.done_topic, self.backlog, now))
        self._probe(now)
        if now - self._stats_at >= STATS_EVERY_S:
            self._stats_at = now
            self.admission.finished((self.done - self._stats_done) / STATS_EVERY_S)
            self._stats_done = self.done
            self._publish(self._stats(now, wall))
            self._health.pump(*self._counted(), now, wall)

    def close(self) -> None:
        self.journal.close()

    def _numbers(self) -> dict[str, tuple[int, list[list[int]]]] | None:
        """What this journal knows of its numbers; a damaged one does not know which are done."""
        if self.journal.unsettled:
            return None
        streams = self.journal.streams()
        share = max(RANGES_PER_SYNC // max(len(streams), 1), 1)
        return {
            name: (self.journal.committed_next(name), self.backlog.open_ranges(name, share))
            for name in streams
        }

    # Messages

    def _sort(self, message: Message, now: float) -> None:
        prefix = self._settings.images_topic
        if message.subject.startswith(prefix):
            camera = message.subject[len(prefix) :]
            if "/" not in camera:
                self.admission.received(camera, message.payload, now, self.link.ready)
            return
        try:
            body = m.decode(message.payload)
            if "kind" in body:
                self._on_heartbeat(m.parse_heartbeat(body), now)
            elif "drain" in body:
                self._on_control(m.parse_control(body))
            else:
                self._on_ack(m.parse_ack(body), now)
        except m.MessageError as error:
            if self._throttle.due(message.subject) is not None:
                _log.warning("ignored a message on %s: %s", message.subject, error)

    def _on_ack(self, ack: m.Ack, now: float) -> None:
        if not self.link.heard(ack, now):
            return
        self._losses.heard(ack.low_watermark)
        for stream, ranges in ack.acks:
            for first, last in ranges:
                self._close(stream, first, last, now)
        for stream, low_watermark in ack.low_watermark.items():
            self._close(stream, 1, low_watermark, now)

    def _close(self, stream: str, first: int, last: int, now: float) -> None:
        closed = self.backlog.close(stream, first, last)
        for image in closed:
            self.credit.finished(image, now)
            self.custody.release(image.item)
            if image.terminal:
                self.terminals.closed(image)
        if closed:
            self.done += len(closed)
            for low, high in m.to_ranges(image.seq for image in closed):
                self.journal.forget(stream, low, high)

    def _on_heartbeat(self, heartbeat: m.Heartbeat, now: float) -> None:
        lost = self.credit.heard(heartbeat, now)
        what = f"ended, {heartbeat.earlier_end}" if heartbeat.earlier_end else "ended or hung"
        self._recover({heartbeat.worker: lost} if lost else {}, what, now, heartbeat.earlier_end)
        if self.link.alive(now):
            for batch in self.credit.absent(heartbeat, now):
                self._again(batch)

    def _on_control(self, control: m.Control) -> None:
        self.credit.drain(control.workers, control.drain)
        drained = self.credit.drained
        _log.warning("drained by the operator: %s", ", ".join(drained) or "no worker any more")
        try:
            self.journal.remember_drained(drained)
        except JournalFullError as error:
            _log.error("drained only until the next restart, the disk is full: %s", error)

    # Work that came back

    def _recover(self, lost: dict[str, list[Batch]], what: str, now: float, end: str = "") -> None:
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
                    self.backlog.suspect(image)
            self.redispatched += len(held)

    def _again(self, batch: Batch) -> None:
        for image in batch.images:
            if _held(image, batch):
                self.redispatched += 1
                if batch.alone:
                    self.backlog.suspect(image)
                else:
                    self.backlog.again(image)

    def _try_elsewhere(self, batch: Batch) -> None:
        """A worker is not heard: each image alone, since one of them may have ended it."""
        for image in batch.images:
            if _held(image, batch):
                self.redispatched += 1
                self.backlog.suspect(image)

    def _quarantine(self, image: Image) -> None:
        detail = evidence(image, "worker")
        _log.error("failed, killed_workers: %s", detail, extra=about(image.item))
        self.backlog.terminate(image, terminal_status("failed", "killed_workers", detail))
        self.terminals.terminated(image)

    # Work that goes out

    def _commit(self, now: float) -> list[tuple[str, bytes]]:
        """Make admissions durable; replies about them go out only now."""
        if not (self.admission.staged or now - self._flush_at >= FLUSH_EVERY_S):
            return self.admission.replies()
        self._flush_at = now
        refusal = self._make_durable()
        if refusal is None:
            if self.custody.group_size():
                self.volume.took()
            self.custody.keep()
            self.custody.tidy(now)
            self.admission.committed()
            return self.admission.replies()
        self.custody.discard()
        if self._throttle.due("no room") is not None:
            _log.error("no new images are taken: %s", refusal)
        if isinstance(refusal, OSError) and refusal.errno not in FULL:
            self.volume.failed(refusal)
            return self.admission.refused("busy", f"images volume: {refusal}")
        return self.admission.refused()

    def _make_durable(self) -> Exception | None:
        """The images, then the journal that names them; the error of a full disk."""
        refusal: Exception | None = None
        try:
            self.custody.sync()
        except OSError as error:
            # Without its file an image must not be in the journal; acknowledged ones go on.
            self.journal.unstage()
            refusal = error
        try:
            if self.journal.dirty:
                self.journal.commit()
        except JournalFullError as error:
            refusal = error
        return refusal

    def _sweep(self) -> None:
        """Files that no accepted image names, once at start, when their volume is there."""
        wanted = {
            str(image.item.get(key, "")) for image in self.backlog for key in ("file", "kept")
        }
        try:
            self.custody.sweep(wanted)
        except OSError as error:
            if self._throttle.due("sweep") is not None:
                _log.warning("left-over files are not looked for: %s", error)
            return
        self._swept = True

    def _dispatch(self, now: float) -> None:
        if not (self.link.ready and self.volume.ready):
            return
        self._dispatch_suspects(now)
        while self.backlog.waiting:
            granted = self.credit.grant(self.backlog.waiting, self._settings.batch, now)
            if granted is None:
                return
            worker, count = granted
            images = self.backlog.take(count)
            if not images:
                return
            if not self._send(worker, images, now, alone=False):
                return

    def _dispatch_suspects(self, now: float) -> None:
        while True:
            image = self.backlog.next_suspect()
            if image is None:
                self.credit.unreserve()
                return
            worker = self.credit.pick_idle(image.killed, now)
            if worker is None:
                return
            if not self._send(worker, [self.backlog.take_suspect()], now, alone=True):
                return

    def _send(self, worker: Worker, images: list[Image], now: float, alone: bool) -> bool:
        self._batches += 1
        batch_id = f"b-{self.journal.epoch}-{self.journal.run:x}-{self._batches:06d}"
        batch = Batch(batch_id, images, now, alone)
        self.credit.assign(worker, batch)
        items = [
            dict(image.item, low=self.backlog.low(image.stream), attempt=image.attempt)
            for image in images
        ]
        topic = self._settings.work_topic + worker.name
        message = m.work_message(
            batch_id, batch.attempt, items, worker.incarnation, self.volume.identity
        )
        if self._bus.publish(topic, message):
            fault("splitter.after_dispatch")
            return True
        # The core's queue is full: the credit returns, a later step tries again.
        self.credit.withdraw_batch(worker, batch)
        self._again(batch)
        return False

    def _probe(self, now: float) -> None:
        """Ask idle-handed workers that owe something: a hung one runs into its timeout."""
        for worker in self.credit.workers.values():
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

    def _publish(self, outgoing: list[tuple[str, bytes]]) -> None:
        for topic, payload in outgoing:
            self._bus.publish(topic, payload)

    def _stats(self, now: float, wall: float) -> list[tuple[str, bytes]]:
        if not self._settings.stats_topic:
            return []
        stats: dict[str, Any] = {
            "v": m.VERSION,
            "part": "splitter",
            "t": round(wall, 3),
            **self.admission.counters(),
            "backlog": self.backlog.outstanding,
            "inflight": sum(w.load for w in self.credit.workers.values()),
            "redispatched": self.redispatched,
            "done": self.done,
            "aggregator": self.link.state(now),
            "numbers": self.link.describe(),
            "images_volume": self.volume.describe(),
            "custody": {
                "bytes": self.custody.held_bytes,
                "copied": self.custody.copied,
                "untidy": self.custody.untidy,
            },
            "workers": {w.name: self.credit.describe(w) for w in self.credit.workers.values()},
        }
        if self.journal.salvage:
            stats["salvage"] = self.journal.salvage.for_stats()
        return [(self._settings.stats_topic, m.encode(stats))]

    def _counted(self) -> tuple[dict[str, int], dict[str, int]]:
        """Counters and levels of the health report."""
        workers = self.credit.workers.values()
        counters = {
            "accepted": self.admission.accepted,
            "rejected": sum(self.admission.rejected.values()),
            "redispatched": self.redispatched,
            "worker_restarts": self.credit.restarts,
        }
        levels = {
            "backlog": self.backlog.outstanding,
            "workers": len(workers),
            "workers_ready": sum(worker.state == "ready" for worker in workers),
        }
        return counters, levels


def _held(image: Image, batch: Batch) -> bool:
    """Whether `image` is still with `batch`: not committed, not sent elsewhere since."""
    return image.batch is not None and image.batch[1] is batch
