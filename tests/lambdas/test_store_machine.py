"""The aggregator's store and its S3 outbox against a reference, through crashes and quotas.

Sinks lease rows by reading after their cursor and acknowledge by moving it; a crash gives
back what was not committed. The reference keeps lists.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from small_disks import fill

from lambdas.aggregator.store import JOB, RESULTS, RETIRED_EPOCHS, Store, StoreFullError

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
        assert [(r.first, r.count, r.bytes) for r in found] == expected_of(expected)
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


@pytest.mark.soak
class TestStoresLong(Stores.TestCase):
    settings = settings(max_examples=2_000, stateful_step_count=50, deadline=None)


class Full:
    """A connection on a full disk: so many commits of new rows fail."""

    def __init__(self, db, times):
        self._db, self.times = db, times

    def __getattr__(self, name):
        return getattr(self._db, name)

    def executemany(self, sql, rows):
        rows = list(rows)
        if sql.startswith("INSERT INTO log") and rows and self.times:
            self.times -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return self._db.executemany(sql, rows)


def filled(folder, times):
    store = Store(str(folder / "s.sqlite3"), 1 << 20, SINKS)
    for n in range(1, 41):
        store.log(RESULTS, "a", (n, n, 2), body(100 + n, 90))
    store.commit()
    store._db = Full(store._db, times)
    store.log(RESULTS, "a", (41, 41, 2), body(141, 90))
    return store


@pytest.mark.parametrize(("times", "dropped"), [(0, 0), (1, 20), (2, 36)])
def test_a_full_disk_costs_a_quarter_of_the_oldest_rows_per_attempt(tmp_path, times, dropped):
    """In records: 40 rows of two, ten and then eight of them."""
    store = filled(tmp_path, times)
    store.commit()
    assert store.outbox_dropped == dropped
    kept = [row.n for row in store.after(0, 99)]
    assert kept == list(range(1 + dropped // 2, 42))
    assert store.log_rows == len(kept)
    assert store.log_bytes == sum(row.bytes for row in store.after(0, 99))


def test_a_disk_that_stays_full_takes_nothing_and_keeps_what_was_staged(tmp_path):
    store = filled(tmp_path, times=3)
    with pytest.raises(StoreFullError):
        store.commit()
    assert max(row.n for row in store.after(0, 99)) == 40
    store.commit()
    assert max(row.n for row in store.after(0, 99)) == 41


def test_another_error_of_the_disk_is_not_taken_for_a_full_one(tmp_path):
    store = Store(str(tmp_path / "s.sqlite3"), 1 << 20, SINKS)
    store.log(RESULTS, "a", (1, 1, 1), "{}")
    store._db.execute("DROP TABLE log")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store.commit()


def test_the_last_hundred_epochs_stay_retired(tmp_path):
    store = Store(str(tmp_path / "s.sqlite3"), 1 << 20, SINKS)
    for n in range(RETIRED_EPOCHS + 2):
        assert store.adopt(f"e{n}")
    assert not store.adopt("e1")
    assert store.adopt("e0"), "that one is forgotten"
    store.close()
    again = Store(str(tmp_path / "s.sqlite3"), 1 << 20, SINKS)
    assert again.epoch == "e0"
    assert not again.adopt("e2")


def test_without_a_sink_nothing_is_kept(tmp_path):
    store = Store(str(tmp_path / "s.sqlite3"), 1 << 20, ())
    store.log(JOB, "", (0, 0, 1), "{}")
    store.commit()
    store.compact()
    assert (store.after(0, 9), store.log_rows, store.log_bytes) == ([], 0, 0)


def test_a_sink_that_is_switched_on_begins_with_what_is_still_there(tmp_path):
    store = Store(str(tmp_path / "s.sqlite3"), 1 << 20, ("local",))
    for n in (1, 2, 3):
        store.log(RESULTS, "a", (n, n, 1), "{}")
    store.move("local", 0)
    store.commit()
    store.move("local", 2)
    store.close()
    again = Store(str(tmp_path / "s.sqlite3"), 1 << 20, ("local", "cloud"))
    assert again.cursors == {"local": 2, "cloud": 0}


@pytest.mark.parametrize(("mib", "filled_by_others"), [(2, False), (8, False), (8, True)])
def test_on_a_disk_that_is_really_full_the_newest_stay_and_what_went_is_counted(
    disk_of, mib, filled_by_others
):
    disk = disk_of(mib)
    path, rows = str(disk / "s.sqlite3"), 3_000
    store = Store(path, 64 << 20, SINKS)
    dropped = 0
    for n in range(1, rows + 1):
        store.log(RESULTS, "a", (n, n, 1), body(n, 3_000))
        store.stream_at("a", n + 1)
        store.commit()
        if n == rows // 2:
            dropped = store.outbox_dropped
            store.close()
            if filled_by_others:
                fill(disk)
            store = Store(path, 64 << 20, SINKS)
    kept = [row.first for row in store.after(0, rows)]
    assert kept == list(range(rows - len(kept) + 1, rows + 1))
    assert len(kept) > 20
    assert dropped + store.outbox_dropped == rows - len(kept)
    assert store.streams() == {"a": rows + 1}
    for sink in SINKS:
        store.move(sink, store.after(0, rows)[-1].n)
    store.commit()
    store.compact()
    assert (store.log_rows, store.after(0, 9)) == (0, [])
