"""From the reorder buffer to the log: one record for each number, counted once."""

from __future__ import annotations

from collections import Counter

from contract import messages as m
from lambdas.aggregator.jobs import Jobs
from lambdas.aggregator.reorder import EMIT, GAP, Step, Stream
from lambdas.aggregator.stages import Stages
from lambdas.aggregator.store import LATE, RESULTS, Store

# One row is one local message and must leave room for its head.
ROW_BYTES = 96 << 10
RECORD_BYTES = m.MAX_MESSAGE_BYTES - 1_024
# Nothing of the image is left: its file is not there, or nobody knows which it was.
GONE = ("not_found", "journal_lost")


class Held:
    """A record that waits for its turn. `stored`: a commit has it as held."""

    __slots__ = ("record", "since", "stored")

    def __init__(self, record: m.Record, since: float, stored: bool) -> None:
        self.record = record
        self.since = since
        self.stored = stored


class Writer:
    def __init__(self, store: Store, jobs: Jobs) -> None:
        self._store = store
        self._jobs = jobs
        self.stages = Stages()
        self.emitted = self.gaps = self.late = self.failed = 0
        self.answered = self.model_errors = 0
        self.dropped: Counter[str] = Counter()
        # By stream, of which there are as many as cameras.
        self.ignored_boxes: Counter[str] = Counter()

    def append(self, name: str, stream: Stream, steps: list[Step], now: float, wall: float) -> None:
        """Write steps of one stream to the log, in order."""
        if not steps:
            return
        # Of each topic, in order, what one run has given in a row.
        rows: dict[str, list[tuple[str, list[m.Record]]]] = {RESULTS: [], LATE: []}

        def write(kind: str, run: str, record: m.Record) -> None:
            if not rows[kind] or rows[kind][-1][0] != run:
                rows[kind].append((run, []))
            rows[kind][-1][1].append(record)

        for step in steps:
            if step.kind == GAP:
                self.gaps += 1
                self._store.gap(name, step.seq)
                run = self._store.runs.of(name, step.seq)
                write(RESULTS, run, {"stream": name, "seq": step.seq, "status": "gap"})
                continue
            late = step.kind != EMIT
            run = self._run_of(name, step)
            record = self._terminal(name, step, now, wall)
            if late:
                self._store.ungap(name, step.seq)
            write(LATE if late else RESULTS, run, record)
        for kind, groups in rows.items():
            for run, records in groups:
                self._log(kind, name, records, run)
        next_seq = stream.next
        assert next_seq is not None  # noqa: S101 - a stream that wrote something has begun
        self._store.stream_at(name, next_seq)

    def _run_of(self, name: str, step: Step) -> str:
        """Half of the record's key: the run that gave the number.

        But whoever says that an image is gone cannot know that it has had no record: this store
        and the journal may be older than the one that had it. Under the present run the number
        has no other meaning.
        """
        runs = self._store.runs
        gone = step.record is None or step.record.record.get("reason") in GONE
        return runs.current if gone and runs.current else runs.of(name, step.seq)

    def _terminal(self, name: str, step: Step, now: float, wall: float) -> m.Record:
        held = step.record
        if held is None:
            record = m.result_dropped({"stream": name, "seq": step.seq}, "journal_lost")
        else:
            record = held.record
            if held.stored:
                self._store.unhold(name, step.seq)
            ms = record.get("ms")
            order = round((now - held.since) * 1000, 1)
            record["ms"] = dict(ms, order=order) if isinstance(ms, dict) else {"order": order}
            self.stages.measure(record["ms"])
        self._count(record, step.kind != EMIT, wall)
        return record

    def _count(self, record: m.Record, late: bool, wall: float) -> None:
        self.emitted += 1
        self.late += late
        self.failed += record["status"] == "failed"
        self.answered += record["status"] == "ok"
        self.model_errors += record.get("reason") in m.MODEL_FAULTS
        if record["status"] == "dropped":
            self.dropped[record["reason"]] += 1
        if "region" in record:
            self._count_ignored(record)
        self._jobs.count(record, wall)
        if late:
            self._jobs.late(record)

    def _count_ignored(self, record: m.Record) -> None:
        """Boxes that the worker left out because their centre is hidden (docs/spec/regions.md)."""
        region = record["region"]
        ignored = region.get("ignored") if isinstance(region, dict) else None
        if isinstance(ignored, int):
            self.ignored_boxes[str(record["stream"])] += ignored

    def _log(self, kind: str, name: str, records: list[m.Record], run: str) -> None:
        """As one row where they fit: then their JSON is written in one go."""
        numbers = [record["seq"] for record in records]
        together = m.dumps(records)[1:-1]
        if len(m.utf8(together)) <= ROW_BYTES:
            self._log_row(kind, name, numbers, together, run)
            return
        start = size = 0
        bodies = [_body(record) for record in records]
        for index, body in enumerate(bodies):
            length = len(m.utf8(body)) + 1
            if index > start and size + length > ROW_BYTES:
                whole = ",".join(bodies[start:index])
                self._log_row(kind, name, numbers[start:index], whole, run)
                start, size = index, 0
            size += length
        self._log_row(kind, name, numbers[start:], ",".join(bodies[start:]), run)

    def _log_row(self, kind: str, name: str, numbers: list[int], body: str, run: str) -> None:
        self._store.log(kind, name, (numbers[0], numbers[-1], len(numbers)), body, run)


def _body(record: m.Record) -> str:
    body = m.dumps(record)
    if len(body) * 4 > RECORD_BYTES and len(m.utf8(body)) > RECORD_BYTES:
        body = m.dumps(m.result_failed(record, "too_large", "the record exceeds a message"))
    return body
