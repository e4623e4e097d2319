"""The aggregator's store and its S3 outbox against a reference, through crashes and quotas.

Sinks lease rows by reading after their cursor and acknowledge by moving it; a crash gives
back what was not committed. The reference keeps lists.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambdas.aggregator.store import RESULTS, Store

SINKS = ("local", "cloud")
LOG_BYTES = 20_000
STREAMS = ("a", "b")


def body(number: int, size: int) -> str:
    return json.dumps({"n": number, "pad": "x" * size})


class Stores(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = str(Path(self.folder.name) / "s.sqlite3")
        self.store = Store(self.path, LOG_BYTES, SINKS)
        self.number = 0
        self.rows = []  # committed: (number, bytes, records)
        self.staged = []
        self.dropped = 0
        # Durable, and as staged on top of it.
        self.durable = {"streams": {}, "held": {}, "gaps": set(), "jobs": {}}
        self.changes = []
        self.cursors = dict.fromkeys(SINKS, 0)
        self.durable_cursors = dict.fromkeys(SINKS, 0)
        self.epoch, self.retired = None, []
        self.windows = dict.fromkeys(SINKS, (0, ""))
        self.serial = 0
        self.open = {"held": [], "gaps": []}
        self.ended = set()

    # Staging

    @rule(stream=st.sampled_from(STREAMS), count=st.integers(1, 5),
          size=st.sampled_from([1, 300, 4_000]), records=st.integers(1, 9))  # fmt: skip
    def log(self, stream, count, size, records):
        for _ in range(count):
            self.number += 1
            text = body(self.number, size)
            self.store.log(RESULTS, stream, (self.number, self.number, records), text)
            self.staged.append((self.number, len(text), records))

    @rule(stream=st.sampled_from(STREAMS), next_seq=st.integers(1, 99))
    def place(self, stream, next_seq):
        self.store.stream_at(stream, next_seq)
        self.changes.append(lambda d: d["streams"].__setitem__(stream, next_seq))

    @rule(stream=st.sampled_from(STREAMS), kind=st.sampled_from(["held", "gaps"]))
    def begin(self, stream, kind):
        """A record is held, or a gap opened: of a number once, as the aggregator does it."""
        self.serial += 1
        key = (stream, self.serial)
        self.open[kind].append(key)
        if kind == "held":
            self.store.hold(*key, body(key[1], 3))
            self.changes.append(lambda d: d["held"].update({key: body(key[1], 3)}))
        else:
            self.store.gap(*key)
            self.changes.append(lambda d: d["gaps"].add(key))
        self.place(stream, 7)  # what is told always moves its stream as well

    @rule(kind=st.sampled_from(["held", "gaps"]), data=st.data())
    def end(self, kind, data):
        if not self.open[kind]:
            return
        key = data.draw(st.sampled_from(self.open[kind]))
        self.open[kind].remove(key)
        if kind == "held":
            self.store.unhold(*key)
            self.changes.append(lambda d: d["held"].pop(key))
        else:
            self.store.ungap(*key)
            self.changes.append(lambda d: d["gaps"].discard(key))
        self.place(key[0], 8)

    @rule(job=st.sampled_from(["j1", "j2"]), images=st.none() | st.integers(1, 9))
    def job(self, job, images):
        if job in self.ended:
            return  # a job that ends within a step does not begin again within it
        value = None if images is None else {"images": images}
        if value is None:
            self.ended.add(job)
            self.changes.append(lambda d: d["jobs"].pop(job, None))
        else:
            self.changes.append(lambda d: d["jobs"].update({job: value}))
        self.store.job([(job, value)])

    @rule(sink=st.sampled_from(SINKS), limit=st.integers(1, 9), back=st.booleans())
    def deliver(self, sink, limit, back):
        """Lease, and acknowledge; a cursor never goes back."""
        found = self.store.after(self.cursors[sink], limit)
        expected = [row for row in self.rows if row[0] > self.cursors[sink]][:limit]
        assert [row.n for row in found] == [number for number, _, _ in expected]
        assert [(r.first, r.records, r.bytes) for r in found] == expected_of(expected)
        if found:
            self.store.move(sink, found[-1].n)
            self.cursors[sink] = found[-1].n
            if back:
                self.store.move(sink, found[0].n - 1)
            assert self.store.cursors[sink] == self.cursors[sink]

    # Durability

    @rule()
    def commit(self):
        self.store.commit()
        for change in self.changes:
            change(self.durable)
        self.rows += self.staged
        self.changes, self.staged, self.ended = [], [], set()
        self.durable_cursors = dict(self.cursors)
        # Over its quota the log drops its oldest rows, whole, until it is within.
        while sum(size for _, size, _ in self.rows) > LOG_BYTES:
            self.dropped += self.rows.pop(0)[2]
        assert self.store.outbox_dropped == self.dropped

    @rule()
    def compact(self):
        self.commit()
        self.store.compact()
        done = min(self.durable_cursors.values())
        self.rows = [row for row in self.rows if row[0] > done]

    @rule(epoch=st.sampled_from(["e1", "e2", "e3"]))
    def adopt(self, epoch):
        taken = self.store.adopt(epoch)
        assert taken == (epoch not in self.retired)
        if taken and epoch != self.epoch:
            self.retired += [self.epoch] if self.epoch else []
            self.epoch = epoch

    @precondition(lambda self: self.rows)
    @rule(sink=st.sampled_from(SINKS), note=st.sampled_from(["", "n"]), data=st.data())
    def choose(self, sink, note, data):
        number = data.draw(st.sampled_from(self.rows))[0]
        assert self.store.choose_window(sink, number, note)
        self.windows[sink] = (number, note)
        self.durable_cursors[sink] = self.cursors[sink]

    @rule()
    def crash(self):
        self.store._db.close()
        self.store = Store(self.path, LOG_BYTES, SINKS)
        last = self.store._db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence")
        self.number = last.fetchone()[0]
        self.cursors = dict(self.durable_cursors)
        self.changes, self.staged, self.ended, self.dropped = [], [], set(), 0
        self.open = {"held": list(self.durable["held"]), "gaps": sorted(self.durable["gaps"])}

    @invariant()
    def what_is_durable_is_what_the_reference_has(self):
        store, durable = self.store, self.durable
        assert store.streams() == durable["streams"]
        assert {(s, n): text for s, n, text in store.held()} == durable["held"]
        assert set(store.gaps()) == durable["gaps"]
        assert store.jobs() == durable["jobs"]
        assert (store.epoch, store.windows) == (self.epoch, self.windows)
        assert [row.n for row in store.after(0, 10_000)] == [number for number, _, _ in self.rows]
        assert store.log_rows == len(self.rows)
        assert store.log_bytes == sum(size for _, size, _ in self.rows)
        assert store.log_bytes <= LOG_BYTES

    def teardown(self):
        self.store._db.close()
        self.folder.cleanup()


def expected_of(rows):
    return [(number, records, size) for number, size, records in rows]


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestStores.pytestmark = [pytest.mark.slow]


@pytest.mark.soak
class TestStoresLong(Stores.TestCase):
    settings = settings(max_examples=2_000, stateful_step_count=50, deadline=None)
