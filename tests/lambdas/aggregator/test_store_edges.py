"""The aggregator's store where rows are garbage, the disk is full, or nothing changed."""

from __future__ import annotations

import sqlite3

import pytest

from lambdas.aggregator import store as store_module
from lambdas.aggregator.repair import repair
from lambdas.aggregator.store import RESULTS, Store
from lambdas.aggregator.trimming import DELETE_STEP

SINKS = ("local", "cloud")


@pytest.fixture
def store(tmp_path):
    one = Store(str(tmp_path / "s.sqlite3"), 1 << 20, SINKS)
    yield one
    one._db.close()


def logged(store: Store, count: int) -> None:
    for n in range(1, count + 1):
        store.log(RESULTS, "a", (n, n, 1), f'{{"n":{n}}}')
    store.stream_at("a", count + 1)
    store.commit()


def test_what_reads_but_is_garbage_goes_and_everything_else_stays(store):
    """As after a damage: pages that still read as rows."""
    logged(store, 6)
    store.hold("a", 8, '{"n":8}')
    store.hold("a", 9, '{"n":9')
    store.hold("lost", 1, '{"n":1}')
    store.gap("a", 7)
    store.gap("lost", 2)
    store.job([("whole", {"images": 1}), ("torn", {"images": 2})])
    for sink in SINKS:
        store.move(sink, 2)
    store.commit()
    store._db.execute("UPDATE jobs SET body='{\"ima' WHERE job='torn'")
    store._db.execute("UPDATE log SET body='{' WHERE n IN (4, 5)")
    assert repair(store._db) == 2
    assert [row.n for row in store.after(0, 99)] == [1, 2, 3, 6]
    assert store.held() == [("a", 8, '{"n":8}')]
    assert store.gaps() == [("a", 7)]
    assert store.jobs() == {"whole": {"images": 1}}


@pytest.mark.parametrize("known_by", ["log", "cursor", "window"])
def test_after_a_damage_new_rows_come_after_every_number_that_was_used(store, known_by):
    logged(store, 3)
    store._db.execute("DELETE FROM sqlite_sequence")
    last = 3
    if known_by == "cursor":
        last = 7
        store.move("cloud", 7)
        store.stream_at("a", 4)
        store.commit()
    elif known_by == "window":
        last = 9
        store.choose_window("cloud", 9)
    repair(store._db)
    store.log(RESULTS, "a", (4, 4, 1), "{}")
    store.commit()
    assert store.after(3, 9)[0].n == last + 1


def test_a_commit_of_nothing_new_writes_nothing(store):
    logged(store, 3)
    store.move("local", 2)
    store.commit()
    written = store._db.total_changes
    store.commit()
    store.move("local", 2)
    store.move("local", 1)
    store.commit()
    assert store._db.total_changes == written
    assert store.cursors == {"local": 2, "cloud": 0}
    store.move("local", 3)
    store.commit()
    assert store._db.total_changes > written


def test_a_new_file_has_its_format_and_quota_and_nothing_to_write(store):
    fresh = store._db.total_changes
    store.commit()
    assert store._db.total_changes == fresh
    assert (store.log_rows_lost, store.appended_bytes, store.log_bytes) == (0, 0, 0)
    pragma = {n: store._db.execute(f"PRAGMA {n}").fetchone()[0] for n in QUOTA_AND_FORMAT}
    assert pragma == QUOTA_AND_FORMAT


# The log's megabyte, a quarter of it and eight for everything else.
QUOTA_AND_FORMAT = {"user_version": 2, "max_page_count": ((1 << 20) * 5 // 4 + (8 << 20)) // 4096}


def test_a_commit_asks_for_room_for_all_that_is_new_and_takes_the_reserve_again(store, monkeypatch):
    asked = []
    monkeypatch.setattr(store._room, "fits", lambda _db, size: not asked.append(size))
    monkeypatch.setattr(store._room, "hold", lambda: asked.append("held"))
    store.log(RESULTS, "a", (1, 1, 1), "x" * 50)
    store.log(RESULTS, "a", (2, 2, 1), "x" * 20)
    store.hold("a", 4, "x" * 7)
    store.commit()
    assert asked == [77, "held"]
    assert (store.log_bytes, store.appended_bytes) == (70, 70)


def test_the_fault_points_of_a_commit_lie_around_it(store, monkeypatch):
    named = []
    monkeypatch.setattr(
        store_module, "fault", lambda name: named.append((name, store._db.in_transaction))
    )
    logged(store, 1)
    assert named == [("aggregator.before_commit", True), ("aggregator.after_commit", False)]


class FullForDeletes:
    """A connection whose deletes of the log fail so many times, as on a full disk."""

    def __init__(self, db, times):
        self._db, self.times, self.checkpoints = db, times, 0

    def __getattr__(self, name):
        return getattr(self._db, name)

    def execute(self, sql, *values):
        self.checkpoints += sql.startswith("PRAGMA wal_checkpoint")
        if sql.startswith("DELETE FROM log") and self.times:
            self.times -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return self._db.execute(sql, *values)


@pytest.mark.parametrize(("times", "left"), [(0, 0), (1, 0), (2, 3 * DELETE_STEP)])
def test_where_a_delete_finds_no_room_the_log_file_is_emptied_once_for_it(store, times, left):
    logged(store, 3 * DELETE_STEP)
    for sink in SINKS:
        store.move(sink, 3 * DELETE_STEP)
    store.commit()
    store._db = full = FullForDeletes(store._db, times)
    store.compact()
    assert len(store.after(0, 999)) == store.log_rows == left
    assert full.checkpoints == min(times, 1)
    store.compact()
    assert (store.log_rows, store.log_bytes, store.after(0, 9)) == (0, 0, [])


def test_only_what_every_sink_has_passed_is_deleted(store):
    logged(store, 9)
    store.move("local", 9)
    store.move("cloud", 4)
    store.commit()
    store.compact()
    assert [row.n for row in store.after(0, 99)] == [5, 6, 7, 8, 9]


def test_numbers_of_before_the_runs_go_by_the_first_epoch_that_is_still_known(store):
    logged(store, 1)
    store._db.execute("UPDATE log SET epoch=NULL")
    for epoch in ("e1", "e2", "e3"):
        assert store.adopt(epoch)
        assert store.adopt(epoch), "again changes nothing"
        assert [row.epoch for row in store.after(0, 9)] == ["e1"]
    assert not store.adopt("e2")
    assert store.epoch == "e3"


def test_what_is_recorded_waits_for_the_disk_and_how_far_a_sink_is_does_not(store, monkeypatch):
    """After a power cut a row may leave twice; it never leaves before it is safe."""
    kept, full, normal = [], 2, 1

    def fault(point):
        if point == "aggregator.before_commit":
            kept.append(store._db.execute("PRAGMA synchronous").fetchone()[0])

    monkeypatch.setattr(store_module, "fault", fault)
    changes = [
        lambda: store.log(RESULTS, "a", (1, 1, 1), "{}"),
        lambda: store.stream_at("a", 2),
        lambda: store.hold("a", 8, "{}"),
        lambda: store.job([("j", {})]),
        lambda: store.begin_run("r", {"a": 1}, {}),
        lambda: None,
    ]
    for n, change in enumerate(changes, 1):
        change()
        store.move("local", n)
        store.commit()
    assert kept == [full] * 5 + [normal]
