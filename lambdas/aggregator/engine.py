"""The aggregator: every result once, in order, committed before it is published.

One step takes all messages that came, commits once, then acknowledges, then publishes.
"""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from typing import Any, Callable, Iterable, Mapping

from contract import messages as m
from contract.timing import ACK_EVERY_S
from lambdas.aggregator.jobs import Jobs
from lambdas.aggregator.reorder import DUPLICATE, EMIT, GAP, REFUSED, Step, Stream
from lambdas.aggregator.sinks import CLOUD, CloudSink, LocalSink, sinks_of, summary_body
from lambdas.aggregator.store import JOB, LATE, RESULTS, Store, StoreFullError
from lambdas.common.bus import Bus
from lambdas.common.fault_points import fault
from lambdas.common.health import HealthReport
from lambdas.common.log import Throttle, get_logger
from lambdas.common.loop import Message, Part
from lambdas.common.settings import AggregatorSettings

# One row is one local message and must leave room for its head.
ROW_BYTES = 96 << 10
RECORD_BYTES = m.MAX_MESSAGE_BYTES - 1_024
MEASURED = 512
# Failures that speak of the model, not of the image; a deployment is judged by them.
MODEL_REASONS = ("model_error", "killed_workers")
# Results that come before the splitter has told its numbers; more are sent again.
EARLY_MESSAGES = 2_000
ASK_AGAIN_S = 10.0
# All streams together, at 25 bytes each below a message's limit. What does not fit is
# covered by re-dispatch and `low_watermark`.
RANGES_PER_ACK = 4_000

_log = get_logger("aggregator")


class Held:
    """A record that waits for its turn. `stored`: a commit has it as held."""

    __slots__ = ("record", "since", "stored")

    def __init__(self, record: m.Record, since: float, stored: bool) -> None:
        self.record = record
        self.since = since
        self.stored = stored


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
        self.jobs = Jobs(self.store.jobs(), settings.job_linger_s)
        self.local = LocalSink(settings, self.store, bus)
        self.cloud = CloudSink(settings, self.store, bus)
        self.s3 = make_s3(self.store) if make_s3 else None
        self.health = HealthReport(settings, settings.health, "aggregator", bus, now)
        self._acks: dict[str, set[int]] = {}
        # Of this process: results are taken only once the splitter has told its numbers.
        self._incarnation = os.urandom(4).hex()
        self._agreed = False
        self._asked_again_at = now - ASK_AGAIN_S
        self._early: list[m.Done] = []
        self._asked: dict[str, dict[str, int]] = {}
        self._stuck = False
        self._tick_at = now - ACK_EVERY_S
        self._wall = 0.0
        self._throttle = Throttle(10.0)
        self.store_behind = 0
        self.emitted = self.duplicates = self.gaps = self.late = self.failed = 0
        self.answered = self.model_errors = 0
        self.stale_epoch = self.refused = 0
        self.dropped: Counter[str] = Counter()
        self._ms: dict[str, deque[float]] = {}
        self._load(now)

    def _load(self, now: float) -> None:
        for name, next_seq in self.store.streams().items():
            self.streams[name] = Stream(next_seq)
        for name, seq in self.store.gaps():
            self.streams[name].gaps.add(seq)
        for name, seq, body in self.store.held():
            self.streams[name].held[seq] = Held(json.loads(body), now, stored=True)

    def step(self, messages: list[Message], now: float, wall: float) -> None:
        self._wall = wall
        if not self._stuck:
            # While the disk is full, what comes is not taken: the splitter sends it again.
            for message in messages:
                self._sort(message, now)
            self._advance(now)
        if not self._commit():
            return
        self._send_acks()
        fault("aggregator.after_ack")
        self.local.pump()
        self.cloud.pump(now, wall)
        if self.s3:
            self.s3.pump(now)
        if now - self._tick_at >= ACK_EVERY_S:
            self._tick_at = now
            self._tick(wall)
            self.health.pump(*self._health(), now, wall)

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
            self._agree(done.sync, done.numbers, now)
        elif not self._agreed:
            if len(self._early) < EARLY_MESSAGES:
                self._early.append(done)
        else:
            self._take(done, now)

    def _agree(self, epoch: str, numbers: Any, now: float) -> None:
        """The splitter says whose numbers these are. What it saw committed and is not here was
        recorded by a store that is lost since: it is never recorded a second time."""
        behind: dict[str, int] = {}
        if self.store.adopt(epoch):
            for name, (upto, ranges) in (numbers or {}).items():
                stream = self.streams.setdefault(name, Stream())
                unknown, closed = stream.pass_over(ranges, upto)
                for seq in closed:
                    self.store.ungap(name, seq)
                if unknown:
                    behind[name] = unknown
                if stream.next is not None:
                    self.store.stream_at(name, stream.next)
            self._agreed = True
        if behind:
            self.store_behind += sum(behind.values())
            _log.error(
                "this store is older than the splitter's journal: records that it does not have, "
                "per stream: %s; a new epoch begins", behind,
            )  # fmt: skip
        self._asked[epoch] = behind
        early, self._early = self._early, []
        for done in early if self._agreed else ():
            self._take(done, now)

    def _agree_again(self, now: float) -> None:
        """Numbers that this store cannot place: ask for the splitter's word, as after a start."""
        if now - self._asked_again_at >= ASK_AGAIN_S:
            self._asked_again_at = now
            self._agreed = False
            self._incarnation = os.urandom(4).hex()

    def _take(self, done: m.Done, now: float) -> None:
        if self.store.epoch is None or epoch_of(done.batch) != self.store.epoch:
            self.stale_epoch += len(done.results)
        else:
            for result in done.results:
                self._offer(done, result, now)

    def _offer(self, done: m.Done, result: m.Record, now: float) -> None:
        name, seq = result["stream"], result["seq"]
        if name not in self._settings.cameras and name not in self.streams:
            self.refused += 1
            return
        stream = self.streams.setdefault(name, Stream())
        record = dict(result, worker=done.worker)
        if done.model:
            record["model"] = done.model
        low = record.pop("low", seq)
        begun = stream.next is not None
        outcome, steps = stream.offer(seq, min(low, seq), Held(record, now, stored=False))
        if outcome == REFUSED:
            self.refused += 1
            self._agree_again(now)
            return
        if not begun and stream.next is not None:
            self.store.stream_at(name, stream.next)
        self._acks.setdefault(name, set()).add(seq)
        if outcome == DUPLICATE:
            self.duplicates += 1
        self._append(name, steps, now)

    def _advance(self, now: float) -> None:
        for name, stream in self.streams.items():
            if stream.held:
                steps = stream.release(now, self._settings.max_wait_s, self._settings.max_hold)
                self._append(name, steps, now)
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

    def _append(self, name: str, steps: list[Step], now: float) -> None:
        """Write steps of one stream to the log, in order."""
        if not steps:
            return
        rows: dict[str, list[tuple[int, str]]] = {RESULTS: [], LATE: []}
        for step in steps:
            if step.kind == GAP:
                self.gaps += 1
                self.store.gap(name, step.seq)
                body = m.dumps({"stream": name, "seq": step.seq, "status": "gap"})
                rows[RESULTS].append((step.seq, body))
                continue
            late = step.kind != EMIT
            body = self._terminal(name, step, late, now)
            if late:
                self.store.ungap(name, step.seq)
            rows[LATE if late else RESULTS].append((step.seq, body))
        for kind, entries in rows.items():
            self._log(kind, name, entries)
        next_seq = self.streams[name].next
        assert next_seq is not None  # noqa: S101 - a stream that wrote something has begun
        self.store.stream_at(name, next_seq)

    def _terminal(self, name: str, step: Step, late: bool, now: float) -> str:
        held = step.record
        if held is None:
            record = m.result_dropped({"stream": name, "seq": step.seq}, "journal_lost")
        else:
            record = held.record
            if held.stored:
                self.store.unhold(name, step.seq)
            ms = record.get("ms")
            order = round((now - held.since) * 1000, 1)
            record["ms"] = dict(ms, order=order) if isinstance(ms, dict) else {"order": order}
            self._measure(record["ms"])
        self._count(record, late)
        body = m.dumps(record)
        if len(body) * 4 > RECORD_BYTES and len(m.utf8(body)) > RECORD_BYTES:
            body = m.dumps(m.result_failed(record, "too_large", "the record exceeds a message"))
        return body

    def _count(self, record: m.Record, late: bool) -> None:
        self.emitted += 1
        self.late += late
        self.failed += record["status"] == "failed"
        self.answered += record["status"] == "ok"
        self.model_errors += record.get("reason") in MODEL_REASONS
        if record["status"] == "dropped":
            self.dropped[record["reason"]] += 1
        self.jobs.count(record, self._wall)
        if late:
            self.jobs.late(record)

    def _log(self, kind: str, name: str, entries: list[tuple[int, str]]) -> None:
        start = 0
        size = 0
        for index, (_, body) in enumerate(entries):
            length = len(m.utf8(body)) + 1
            if index > start and size + length > ROW_BYTES:
                self._log_row(kind, name, entries[start:index])
                start, size = index, 0
            size += length
        if entries[start:]:
            self._log_row(kind, name, entries[start:])

    def _log_row(self, kind: str, name: str, entries: list[tuple[int, str]]) -> None:
        span = (entries[0][0], entries[-1][0], len(entries))
        self.store.log(kind, name, span, ",".join(body for _, body in entries))

    def _commit(self) -> bool:
        try:
            self.store.commit()
        except StoreFullError as error:
            if self._throttle.due("full") is not None:
                _log.error("no room, taking no results until there is: %s", error)
            self._stuck = True
            return False
        self._stuck = False
        return True

    def _send_acks(self) -> None:
        asked, self._asked = self._asked, {}
        for epoch, behind in asked.items():
            top = {name: stream.top for name, stream in self.streams.items()}
            self._send_ack({}, {}, top, answers=epoch, behind=behind)
        if self._acks:
            acks = _ranges(self._acks)
            self._acks = {}
            low_watermarks = {
                name: self._low_watermark(name) for name in acks if self.streams[name].next
            }
            self._send_ack(acks, low_watermarks)

    def _send_ack(self, acks: Any, low_watermarks: Any, top: Any = None, **more: Any) -> None:
        message = m.ack_message(
            self.store.epoch, acks, low_watermarks, top, incarnation=self._incarnation, **more
        )
        self._bus.publish(self._settings.ack_topic, message)

    def _tick(self, wall: float) -> None:
        if self._commit():
            self.store.compact()
        low_watermarks = {name: s.low_watermark for name, s in self.streams.items() if s.next}
        held = _ranges({name: s.held for name, s in self.streams.items() if s.held})
        self._send_ack(held, low_watermarks)
        if self._settings.stats_topic:
            self._bus.publish(self._settings.stats_topic, m.encode(self._stats(wall)))

    def _health(self) -> tuple[dict[str, int], dict[str, int]]:
        """Counters and levels; a late result is counted with the others, its gap apart."""
        counters = {
            "results": self.emitted,
            "failed": self.failed,
            "dropped": sum(self.dropped.values()),
            "gaps": self.gaps,
            "lost_before_cloud": self.store.outbox_dropped,
        }
        return counters, {"outbox_bytes": self.store.log_bytes}

    def _measure(self, ms: dict[str, Any]) -> None:
        for stage, value in ms.items():
            if isinstance(value, (int, float)) and len(self._ms) < 32:
                self._ms.setdefault(stage, deque(maxlen=MEASURED)).append(value)

    def _stats(self, wall: float) -> m.Record:
        stats: m.Record = {
            "v": m.VERSION,
            "part": "aggregator",
            "t": round(wall, 3),
            "emitted": self.emitted,
            "duplicates": self.duplicates,
            "gaps": self.gaps,
            "late": self.late,
            "failed": self.failed,
            "answered": self.answered,
            "model_errors": self.model_errors,
            "dropped": dict(self.dropped),
            "stale_epoch": self.stale_epoch,
            "refused": self.refused,
            "store_behind": self.store_behind,
            "reorder_buffer": {name: len(stream.held) for name, stream in self.streams.items()},
            "jobs": len(self.jobs.open),
            "outbox_rows": self.store.log_rows,
            "outbox_bytes": self.store.log_bytes,
            "outbox_dropped": self.store.outbox_dropped,
            "cloud_batches": self.cloud.batches,
            "s3_objects": self.s3.objects if self.s3 else 0,
            "last_sync": self.cloud.last_sync if CLOUD in self.store.cursors else None,
            "ms": {stage: _percentiles(values) for stage, values in self._ms.items()},
        }
        if self.store.salvage:
            lost = {"log_rows_lost": self.store.log_rows_lost}
            stats["salvage"] = {**self.store.salvage.for_stats(), **lost}
        return stats


def epoch_of(batch: str) -> str:
    """The splitter's epoch in a batch id: `b-1f3c22aa-3-000017` → `1f3c22aa`."""
    parts = batch.split("-")
    return parts[1] if len(parts) == 4 else ""


def _ranges(numbers: Mapping[str, Iterable[int]]) -> dict[str, list[list[int]]]:
    """Per stream the ranges, lowest first, each stream its share of what a message holds."""
    share = max(RANGES_PER_ACK // max(len(numbers), 1), 1)
    return {name: m.to_ranges(seqs)[:share] for name, seqs in numbers.items()}


def _percentiles(values: deque[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return {"p50": ordered[last // 2], "p99": ordered[round(last * 0.99)]}
