"""The aggregator's store where nothing more fits, and which sinks and epochs it keeps."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from small_disks import fill
from test_store_machine import SINKS, body

from lambdas.aggregator.store import JOB, RESULTS, RETIRED_EPOCHS, Store, StoreFullError


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


@pytest.mark.parametrize("times", [0, 1])
def test_a_disk_that_is_full_for_a_moment_costs_no_row(tmp_path, times):
    store = filled(tmp_path, times)
    store.commit()
    assert store.outbox_dropped == 0
    assert [row.n for row in store.after(0, 99)] == list(range(1, 42))
    assert store.log_bytes == sum(row.bytes for row in store.after(0, 99))


def test_the_files_own_quota_costs_the_oldest_rows_and_they_are_counted(tmp_path, monkeypatch):
    """Records that are held take what the log leaves of it."""
    monkeypatch.setattr("lambdas.aggregator.store.QUOTA_MARGIN_BYTES", 0)
    store = Store(str(tmp_path / "s.sqlite3"), 400_000, SINKS)
    for n in range(1, 41):
        store.log(RESULTS, "a", (n, n, 2), body(100 + n, 6_000))
        store.hold("a", 1_000 + n, body(n, 6_000))
        store.commit()
    kept = [row.n for row in store.after(0, 99)]
    assert 0 < len(kept) < 40
    assert kept == list(range(41 - len(kept), 41))
    assert store.outbox_dropped == 2 * (40 - len(kept))


def test_a_disk_that_stays_full_takes_nothing_and_keeps_what_was_staged(tmp_path):
    store = filled(tmp_path, times=2)
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
def test_on_a_disk_that_is_really_full_nothing_is_dropped_and_it_drains(
    disk_of, mib, filled_by_others
):
    """The cloud is away, then takes everything; what was refused is written after all."""
    disk = disk_of(mib)
    path, rows = str(disk / "s.sqlite3"), 3_000
    store = Store(path, 64 << 20, SINKS)
    taken, left = 0, []
    while taken < rows:
        store.log(RESULTS, "a", (taken + 1, taken + 1, 1), body(taken + 1, 3_000))
        store.stream_at("a", taken + 2)
        try:
            store.commit()
        except StoreFullError:
            if filled_by_others:
                store._db.close()
                fill(disk)
                store = Store(path, 64 << 20, SINKS)
                filled_by_others = False
                continue
            found = store.after(store.cursors["local"], 50)
            left += [row.first for row in found]
            for sink in SINKS:
                store.move(sink, found[-1].n)
            store.drain()
            with contextlib.suppress(StoreFullError):
                store.commit()
        taken = store.streams().get("a", 1) - 1
        assert store.outbox_dropped == 0
    left += [row.first for row in store.after(store.cursors["local"], rows)]
    assert left == list(range(1, rows + 1))
