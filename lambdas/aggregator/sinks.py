"""Where the log goes: local topics, the cloud topic, S3. Each at least once, in order.

A sink reads after its cursor, hands over, moves the cursor. A crash between the two
repeats what was handed over; `(epoch, stream, seq)` makes that harmless to whoever keeps
it, and the key of an S3 object makes it the same object.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Any, Iterator, Sequence

from contract.messages import MAX_MESSAGE_BYTES, VERSION, dumps, utf8
from lambdas.aggregator.batches import HEAD_BYTES, batch_name, partition_of
from lambdas.aggregator.store import JOB, LATE, Store
from lambdas.aggregator.tables import Row
from lambdas.common.bus import Bus
from lambdas.common.fault_points import fault
from lambdas.common.settings import AggregatorSettings

LOCAL, CLOUD, S3 = "local", "cloud", "s3"
ROWS_PER_READ = 64
# A batch that waits for its time is read again only after this much has been added.
WORTH_READING_BYTES = 32 << 10


def sinks_of(settings: AggregatorSettings) -> tuple[str, ...]:
    return (
        LOCAL,
        *((CLOUD,) if settings.cloud_topic else ()),
        *((S3,) if settings.outbox_bucket else ()),
    )


class LocalSink:
    """Ordered results, late results and job summaries on the local topics."""

    def __init__(self, settings: AggregatorSettings, store: Store, bus: Bus) -> None:
        self._settings = settings
        self._store = store
        self._bus = bus
        # What was appended to the store when its rows had all left; at start nobody knows.
        self._passed_bytes = -1

    def pump(self, beside: Sequence[tuple[str, bytes]] = ()) -> None:
        """Publish what is new, as long as the core takes it; with the first of it go those
        `beside`, which have no order with it."""
        for row in self._fresh():
            if not self._publish(row, beside):
                return
            beside = ()
            fault("aggregator.after_publish")
            self._store.move(LOCAL, row.n)
        if beside:
            self._bus.publish_all(beside)

    @property
    def passed_all(self) -> bool:
        return self._store.appended_bytes == self._passed_bytes

    def _fresh(self) -> Iterator[Row]:
        appended_bytes = self._store.appended_bytes
        if appended_bytes != self._passed_bytes:
            yield from rows_after(self._store, self._store.cursors[LOCAL])
            self._passed_bytes = appended_bytes

    def _publish(self, row: Row, beside: Sequence[tuple[str, bytes]]) -> bool:
        """Rows leave one after the other, since they have an order."""
        message = self._message(row)
        packet = [*([message] if message else ()), *beside]
        taken = self._bus.publish_all(packet) if packet else []
        return taken[0] if message else True

    def _message(self, row: Row) -> tuple[str, bytes] | None:
        if row.kind == JOB:
            topic = self._settings.jobs_topic
            return (topic, utf8(row.body)) if topic else None
        late = row.kind == LATE
        prefix = self._settings.late_topic if late else self._settings.results_topic
        site = self._settings.site
        head = dumps({"v": VERSION, "site": site, "stream": row.stream, "epoch": row.epoch})
        return prefix + row.stream, utf8(_with_results(head, row.body))


class CloudSink:
    """Batches of results on the cloud topic, filled up to the message limit or a time.

    Which rows make a batch is remembered before it is sent, so that a batch that is sent
    again, also by a later process, is the same message (docs/spec/cloud-results.md).
    """

    def __init__(self, settings: AggregatorSettings, store: Store, bus: Bus) -> None:
        self._settings = settings
        self._store = store
        self._bus = bus
        self._due_at: float | None = None
        self._read_bytes = 0
        self.batches = 0
        self.last_sync: float | None = None

    def pump(self, now: float, wall: float) -> None:
        """Publish full batches; a batch that is not full waits until it is due."""
        if CLOUD not in self._store.cursors:
            return
        fresh_bytes = self._store.appended_bytes - self._read_bytes
        waiting = self._due_at is not None and now < self._due_at
        if waiting and fresh_bytes < WORTH_READING_BYTES and not self._chosen:
            return
        self._read_bytes = self._store.appended_bytes
        while self._chosen or self._choose(now, wall):
            if not self._publish():
                return
            fault("aggregator.after_cloud")
            self._store.move(CLOUD, self._store.windows[CLOUD].n)
            self.batches += 1
            self.last_sync = wall
            self._due_at = None

    @property
    def _chosen(self) -> bool:
        return bool(self._store.windows[CLOUD].n > self._store.cursors[CLOUD])

    def _choose(self, now: float, wall: float) -> bool:
        """Remember the rows of the next batch; False while there is none to send."""
        batch, full = self._gather()
        if not batch:
            self._due_at = None
            return False
        if self._due_at is None:
            self._due_at = now + self._settings.cloud_batch_s
        if not (full or now >= self._due_at):
            return False
        return self._store.choose_window(CLOUD, batch[-1].n, partition_of(batch, wall))

    def _gather(self) -> tuple[list[Row], bool]:
        """The rows of the next message, and whether another row would not fit."""
        room = MAX_MESSAGE_BYTES - HEAD_BYTES
        batch: list[Row] = []
        for row in rows_after(self._store, self._store.cursors[CLOUD]):
            if row.kind == JOB:
                return (batch, True) if batch else ([row], True)
            if batch and row.epoch != batch[0].epoch:
                return batch, True
            room -= len(utf8(row.body)) + 1
            if batch and room < 0:
                return batch, True
            batch.append(row)
        return batch, False

    def _publish(self) -> bool:
        window, cursor = self._store.windows[CLOUD], self._store.cursors[CLOUD]
        rows = rows_between(self._store, cursor, window.n)
        if not rows:  # dropped for space since
            return True
        body = ",".join(row.body for row in rows)
        head = dumps(
            {
                "v": VERSION,
                "site": self._settings.site,
                "core": self._settings.thing,
                "epoch": rows[0].epoch,
                "batch": batch_name(rows[0].epoch, rows[0].n, body),
                "partition": window.note,
            }
        )
        if rows[0].kind == JOB:
            topic = self._settings.cloud_jobs_topic
            return not topic or self._bus.publish(topic, utf8(f"{head[:-1]},{body[1:]}"))
        return self._bus.publish(self._settings.cloud_topic, utf8(_with_results(head, body)))


def rows_after(store: Store, n: int) -> Iterator[Row]:
    while True:
        rows = store.after(n, ROWS_PER_READ)
        yield from rows
        if len(rows) < ROWS_PER_READ:
            return
        n = rows[-1].n


def rows_between(store: Store, after: int, upto: int) -> list[Row]:
    return list(takewhile(lambda row: row.n <= upto, rows_after(store, after)))


def _with_results(head: str, body: str) -> str:
    return f'{head[:-1]},"results":[{body}]}}'


def summary_body(site: str, summary: dict[str, Any]) -> str:
    """A job's summary as the message that it will be: its rarest labels go, if it must fit."""
    ended = summary.pop("ended", summary["started"])
    message = {"v": VERSION, "site": site, **summary, "ended": ended}
    body = dumps(message)
    labels = sorted(summary["labels"].items(), key=lambda label: -label[1])
    kept = len(labels)
    while kept and len(utf8(body)) > MAX_MESSAGE_BYTES - HEAD_BYTES:
        kept //= 2
        body = dumps(dict(message, labels=dict(labels[:kept]), labels_omitted=len(labels) - kept))
    return body
