"""The aggregator: every result once, in order, committed before it is published.

One step takes all messages that came, commits once, then publishes and acknowledges.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Iterable, Mapping

from contract import messages as m
from contract.timing import ACK_EVERY_S
from lambdas.aggregator.agreement import Agreement
from lambdas.aggregator.jobs import Jobs
from lambdas.aggregator.reorder import DUPLICATE, REFUSED, Stream
from lambdas.aggregator.sinks import CLOUD, CloudSink, LocalSink, sinks_of, summary_body
from lambdas.aggregator.store import JOB, Store, StoreFullError
from lambdas.aggregator.watermarks import Watermarks
from lambdas.aggregator.writing import Held, Writer
from lambdas.common.bus import Bus
from lambdas.common.fault_points import fault
from lambdas.common.health import HealthReport
from lambdas.common.log import Throttle, get_logger
from lambdas.common.loop import Message, Part
from lambdas.common.settings import AggregatorSettings
from lambdas.common.state_volume import StateVolume

# All streams together, at 25 bytes each below a message's limit. What does not fit is
# covered by re-dispatch and `low_watermark`.
RANGES_PER_ACK = 4_000

_log = get_logger("aggregator")


class Aggregator(Part):
    def __init__(
        self,
        settings: AggregatorSettings,
        bus: Bus,
        now: float,
        make_s3: Callable[[Store], Any] | None = None,
    ) -> None:
        self._settings = settings
        self._bus = bus
        path = f"{settings.own_state_dir}/store.sqlite3"
        self.store = Store(path, settings.outbox_bytes, sinks_of(settings))
        self.streams: dict[str, Stream] = {}
        # Those that hold records back: a thousand others cost a step nothing.
        self._holding: dict[str, Stream] = {}
        self._watermarks = Watermarks(self.streams)
        self.jobs = Jobs(self.store.jobs(), settings.job_linger_s)
        self.local = LocalSink(settings, self.store, bus)
        self.cloud = CloudSink(settings, self.store, bus)
        self.s3 = make_s3(self.store) if make_s3 else None
        self.health = HealthReport(settings, settings.health, "aggregator", bus, now)
        self._acks: dict[str, set[int]] = {}
        self.agreement = Agreement(self.store, self.streams, now)
        self.writer = Writer(self.store, self.jobs)
        self.volume = StateVolume("aggregator", settings.own_state_dir)
        self._tick_at = now - ACK_EVERY_S
        self._wall = 0.0
        self._throttle = Throttle(10.0)
        self.duplicates = self.stale_epoch = self.refused = 0
        self._load(now)

    def _load(self, now: float) -> None:
        for name, next_seq in self.store.streams().items():
            self.streams[name] = Stream(next_seq)
        for name, seq in self.store.gaps():
            self.streams[name].gaps.add(seq)
        for name, seq, body in self.store.held():
            stream = self._holding[name] = self.streams[name]
            stream.held[seq] = Held(json.loads(body), now, stored=True)

    def step(self, messages: list[Message], now: float, wall: float) -> None:
        self._wall = wall
        if not self.volume.refuses:
            # While the disk is full, what comes is not taken: the splitter sends it again.
            for message in messages:
                self._sort(message, now)
            self._advance(now)
        if self._commit():
            # The first result and the acks in one packet: one way through the core less.
            self.local.pump(self._acks_due())
            fault("aggregator.after_ack")
        else:
            self.local.pump()
        self.cloud.pump(now, wall)
        if self.s3:
            self.s3.pump(now)
        if now - self._tick_at >= ACK_EVERY_S:
            self._tick_at = now
            self._tick(wall)
            self.volume.look_whether_replaced()
            self.health.pump(*self._health(), now, wall)

    def rest(self) -> None:
        """What has left is remembered: a SIGTERM ends this process where it stands, and would let
        it leave again. While more waits, the next step's commit does that, too."""
        self._commit()

    def idle(self) -> bool:
        """A batch for the cloud is due in seconds; all else that has a time of its own is here."""
        return (
            self.local.passed_all
            and not self.jobs.open
            and self.agreement.reached
            and not self.volume.refuses
            and not self._holding
        )

    def close(self) -> None:
        if self._commit():
            self.store.close()

    # In

    def _sort(self, message: Message, now: float) -> None:
        try:
            done = m.parse_done(message.payload)
        except m.MessageError as error:
            if self._throttle.due(message.subject) is not None:
                _log.warning("ignored a message on %s: %s", message.subject, error)
            return
        if done.sync is not None:
            self._agree(done, now)
        elif not self.agreement.reached:
            self.agreement.park(done)
        else:
            self._take(done, now)

    def _agree(self, asked: m.Done, now: float) -> None:
        try:
            early = self.agreement.agree(asked, self._settings.cameras)
        except StoreFullError as error:
            self.volume.failed(error)  # the splitter asks again
            return
        for done in early:
            self._take(done, now)

    def _take(self, done: m.Done, now: float) -> None:
        epoch, run = epoch_and_run(done.batch)
        if self.store.epoch is None or epoch != self.store.epoch:
            self.stale_epoch += len(done.results)
            return
        for result in done.results:
            key = result["stream"], result["seq"]
            if not self.agreement.run or self.store.runs.gave(run, *key):
                self._offer(done, result, now)
            else:
                # A late question of an earlier start may have made us forget the present one.
                self.stale_epoch += 1
                self.agreement.again(now)

    def _offer(self, done: m.Done, result: m.Record, now: float) -> None:
        name, seq = result["stream"], result["seq"]
        if name not in self._settings.cameras and name not in self.streams:
            self.refused += 1
            return
        stream = self.streams.get(name)
        if stream is None:
            stream = self.streams[name] = Stream()
        record = dict(result, worker=done.worker)
        if done.model:
            record["model"] = done.model
        low = record.pop("low", seq)
        begun = stream.next is not None
        outcome, steps = stream.offer(seq, min(low, seq), Held(record, now, stored=False))
        if outcome == REFUSED:
            self.refused += 1
            self.agreement.again(now)
            return
        if not begun and stream.next is not None:
            self.store.stream_at(name, stream.next)
        self._acks.setdefault(name, set()).add(seq)
        if stream.held:
            self._holding[name] = stream
        if outcome == DUPLICATE:
            self.duplicates += 1
        self.writer.append(name, stream, steps, now, self._wall)

    def _advance(self, now: float) -> None:
        for name, stream in list(self._holding.items()):
            steps = stream.release(now, self._settings.max_wait_s, self._settings.max_hold)
            self.writer.append(name, stream, steps, now, self._wall)
            if not stream.held:
                del self._holding[name]
            for seq, held in stream.held.items():
                if not held.stored:
                    self.store.hold(name, seq, m.dumps(held.record))
                    held.stored = True
        for summary in self.jobs.finished(self._low_watermark, now):
            body = summary_body(self._settings.site, summary)
            self.store.log(JOB, "", (0, 0, 1), body)
        self.store.job(self.jobs.take_changed())

    def _low_watermark(self, name: str) -> int:
        stream = self.streams.get(name)
        return stream.low_watermark if stream else 0

    # Out

    def _commit(self) -> bool:
        try:
            self.store.commit()
        except StoreFullError as error:
            self.volume.failed(error)
            return False
        self.volume.took()
        return True

    def _acks_due(self) -> list[tuple[str, bytes]]:
        due = []
        for epoch, behind in self.agreement.take_asked().items():
            top = {name: stream.top for name, stream in self.streams.items()}
            due.append(self._ack({}, {}, top, answers=epoch, behind=behind))
        if self._acks:
            acks = _ranges(self._acks)
            self._acks = {}
            self._watermarks.came(acks)
            low_watermarks = {
                name: self._low_watermark(name) for name in acks if self.streams[name].next
            }
            due.append(self._ack(acks, low_watermarks))
        return due

    def _ack(
        self, acks: Any, low_watermarks: Any, top: Any = None, **more: Any
    ) -> tuple[str, bytes]:
        message = m.ack_message(
            self.store.epoch,
            acks,
            low_watermarks,
            top,
            incarnation=self.agreement.incarnation,
            **more,
        )
        return self._settings.ack_topic, message

    def _tick(self, wall: float) -> None:
        if self._commit():
            self.store.compact()
            self._acknowledge()
        else:
            self.store.drain()
        if self._settings.stats_topic:
            self._bus.publish(self._settings.stats_topic, m.encode(self._stats(wall)))

    def _acknowledge(self) -> None:
        held = _ranges({name: stream.held for name, stream in self._holding.items()})
        self._watermarks.came(held)
        self._bus.publish(*self._ack(held, self._watermarks.due()))

    def _health(self) -> tuple[dict[str, int], dict[str, int]]:
        """Counters and levels; a late result is counted with the others, its gap apart."""
        counters = {
            "results": self.writer.emitted,
            "failed": self.writer.failed,
            "dropped": sum(self.writer.dropped.values()),
            "gaps": self.writer.gaps,
            "lost_before_cloud": self.store.outbox_dropped,
        }
        return counters, {"outbox_bytes": self.store.log_bytes}

    def _stats(self, wall: float) -> m.Record:
        stats: m.Record = {
            "v": m.VERSION,
            "part": "aggregator",
            "t": round(wall, 3),
            "emitted": self.writer.emitted,
            "duplicates": self.duplicates,
            "gaps": self.writer.gaps,
            "late": self.writer.late,
            "failed": self.writer.failed,
            "answered": self.writer.answered,
            "model_errors": self.writer.model_errors,
            "dropped": dict(self.writer.dropped),
            "ignored_boxes": dict(self.writer.ignored_boxes),
            "stale_epoch": self.stale_epoch,
            "refused": self.refused,
            "store_behind": self.agreement.store_behind,
            "reorder_buffer": {name: len(stream.held) for name, stream in self._holding.items()},
            "state_volume": self.volume.describe(),
            "jobs": len(self.jobs.open),
            "outbox_rows": self.store.log_rows,
            "outbox_bytes": self.store.log_bytes,
            "outbox_dropped": self.store.outbox_dropped,
            "cloud_batches": self.cloud.batches,
            "s3_objects": self.s3.objects if self.s3 else 0,
            "last_sync": self.cloud.last_sync if CLOUD in self.store.cursors else None,
            "ms": self.writer.stages.describe(),
        }
        if self.store.salvage:
            lost = {"log_rows_lost": self.store.log_rows_lost}
            stats["salvage"] = {**self.store.salvage.for_stats(), **lost}
        return stats


def epoch_and_run(batch: str) -> tuple[str, str]:
    """Of a batch id, `b-{epoch}-{run}-{n}`."""
    parts = batch.split("-")
    return (parts[1], parts[2]) if len(parts) == 4 else ("", "")


def _ranges(numbers: Mapping[str, Iterable[int]]) -> dict[str, list[list[int]]]:
    """Per stream the ranges, lowest first, each stream its share of what a message holds."""
    share = max(RANGES_PER_ACK // max(len(numbers), 1), 1)
    return {name: m.to_ranges(seqs)[:share] for name, seqs in numbers.items()}
