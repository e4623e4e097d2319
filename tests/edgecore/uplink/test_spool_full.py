"""Where the spool's room ends: quota, disk and reserve, each to the byte or the page."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_disks import small_disk_at

from contract.durable import database as database_module
from contract.durable import room as room_module
from contract.durable.room import MARGIN_BYTES, RESERVE_BYTES, Room, give_up_reserve
from edgecore.uplink import spool_store as store_module
from edgecore.uplink.spool_store import SpoolStore

QUOTA_BYTES = 262_144
PAGE = 4096
MIB = 1 << 20


def store_at(path: Path | None, **options) -> SpoolStore:
    return SpoolStore(path, **{"max_bytes": QUOTA_BYTES, "policy": "drop_oldest", **options})


def exact(store: SpoolStore) -> None:
    """The account says what is in the file, and everything put is somewhere."""
    account = store.account
    count, size = store._db.execute("SELECT count(*), total(size) FROM message").fetchone()
    assert (account.rows, account.bytes) == (count, size)
    assert account.put == account.sent + account.rows + account.dropped.total()


# The reserve


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk with as many free blocks of 512 bytes as a test says."""
    blocks = SimpleNamespace(f_bavail=0, f_frsize=512)
    monkeypatch.setattr(room_module.os, "statvfs", lambda _folder: blocks)
    return blocks


def test_half_of_what_is_free_beyond_the_margin_may_be_used(tmp_path: Path, disk) -> None:
    room = Room(str(tmp_path / "s"))
    for free, spare in [(0, 0), (MIB, 0), (MIB + 1024, 512), (5 * MIB, 2 * MIB)]:
        disk.f_bavail = free // 512
        assert room.spare_bytes() // 2 == spare
    assert MARGIN_BYTES == RESERVE_BYTES == MIB


def test_the_reserve_is_taken_while_there_is_plenty_and_given_up_at_once(
    tmp_path: Path, disk
) -> None:
    disk.f_bavail = (MARGIN_BYTES + 2 * RESERVE_BYTES) // 512 - 1
    database = str(tmp_path / "s")
    room = Room(database)
    reserve = tmp_path / "s.reserve"
    assert not reserve.exists(), "a block too few"
    disk.f_bavail += 1
    room.hold()
    assert (reserve.stat().st_size, reserve.stat().st_blocks * 512 >= MIB) == (MIB, True)
    inode = reserve.stat().st_ino
    room.hold()
    assert reserve.stat().st_ino == inode, "it is not taken twice"
    assert give_up_reserve(database)
    assert not give_up_reserve(database)
    assert not reserve.exists()
    assert (Room(database), reserve.exists())[1], "a start takes it as well"


# A transaction that finds no room


class Full:
    """A connection whose every second insert fails, so many times, as on a full disk."""

    def __init__(self, store: SpoolStore, times: int) -> None:
        self._db, self.times, self.reserve_at_checkpoint = store._db, times, None
        self._inserts = 0
        self._reserve = store._path.with_name(f"{store._path.name}.reserve")

    def __getattr__(self, name: str):
        return getattr(self._db, name)

    def execute(self, sql: str, *values):
        if sql.startswith("PRAGMA wal_checkpoint"):
            self.reserve_at_checkpoint = self._reserve.exists()
        if sql.startswith("INSERT INTO message") and self.times:
            self._inserts += 1
            if self._inserts % 2:
                return self._db.execute(sql, *values)
            self.times -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return self._db.execute(sql, *values)


def test_a_commit_that_finds_no_room_empties_the_log_with_the_reserve_and_succeeds(
    tmp_path: Path, caplog
) -> None:
    store = store_at(tmp_path / "s")
    store.commit([("t", b"before")])
    store._db = full = Full(store, times=1)
    with caplog.at_level(logging.WARNING):
        assert store.commit([("t", b"a"), ("t", b"b")]) == [None, None]
    assert full.reserve_at_checkpoint is False, "the reserve was free while the log was emptied"
    assert (tmp_path / "s.reserve").exists(), "and is held again"
    assert "using the reserve" in caplog.text
    exact(store)
    assert [m.payload for m in store.peek(9, 999)] == [b"before", b"a", b"b"]


def test_a_commit_without_room_refuses_its_messages_counts_them_and_harms_nothing(
    tmp_path: Path,
) -> None:
    store = store_at(tmp_path / "s")
    store.commit([("t", b"before")])
    store._db = Full(store, times=2)
    assert store.commit([("t", b"a")] * 3) == ["disk_full"] * 3
    assert store.account.put == 1
    assert store.account.refused == {"disk_full": 3}
    exact(store)
    assert store.commit([("t", b"after")]) == [None]
    exact(store)
    assert [m.payload for m in store.peek(9, 999)] == [b"before", b"after"]


def test_a_start_on_a_full_disk_gives_the_reserve_up_first(tmp_path: Path, monkeypatch) -> None:
    store_at(tmp_path / "s").close()
    reserve, real, calls = tmp_path / "s.reserve", database_module._connect, []

    def refusing(path, form):
        calls.append(reserve.exists())
        if len(calls) == 1:
            raise sqlite3.OperationalError("database or disk is full")
        return real(path, form)

    monkeypatch.setattr(database_module, "_connect", refusing)
    store_at(tmp_path / "s").close()
    assert calls == [True, False]


def test_in_memory_there_is_no_reserve_to_give_up(monkeypatch) -> None:
    def refusing(_path, _pages):
        raise sqlite3.OperationalError("out of memory")

    monkeypatch.setattr(store_module, "open_database", refusing)
    with pytest.raises(sqlite3.OperationalError):
        store_at(None)


# Sizes


@pytest.mark.parametrize(("quota", "largest"), [(QUOTA_BYTES, 27 * PAGE), (1, 3 * PAGE)])
def test_the_largest_message_is_half_of_the_quota_to_the_byte(tmp_path, quota, largest) -> None:
    store = store_at(tmp_path / "s", max_bytes=quota)
    payload = bytes(largest - 64 - 1)  # a row's own 64 bytes, and the topic
    assert store.commit([("t", payload)]) == [None]
    assert store.commit([("t", payload + b"x")]) == ["too_large"]
    exact(store)


def test_a_peek_takes_what_fits_its_budget_and_always_one(tmp_path: Path) -> None:
    store = store_at(tmp_path / "s")
    store.commit([("t", bytes(100))] * 5)
    for budget, count in [(1, 1), (100, 1), (199, 1), (200, 2), (299, 2), (300, 3), (9999, 5)]:
        assert len(store.peek(10, budget)) == count
    assert len(store.peek(2, 9999)) == 2


@pytest.mark.parametrize("size", [2000, 5000])
def test_over_quota_no_more_is_dropped_than_the_newest_needs(tmp_path: Path, size: int) -> None:
    store = store_at(tmp_path / "s")
    spare_pages = 4 + size // 1024
    full = False
    for _ in range(QUOTA_BYTES * 3 // 2 // size):
        store.commit([("t", bytes(size))])
        full = full or store.account.dropped.total() > 0
        if full:
            assert store._used_pages() >= QUOTA_BYTES // PAGE - spare_pages
    assert full
    exact(store)


# Damage while it is open


def _damaged_while_open(path: Path) -> SpoolStore:
    store = store_at(path, max_bytes=16 * MIB)
    for start in range(0, 800, 100):
        store.commit([("t", b"%08d" % n + bytes(992)) for n in range(start, start + 100)])
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store._db.settle()  # a checkpoint apart from any transaction is this test's own
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size * 6 // 10 // PAGE * PAGE)
        file.write(os.urandom(PAGE))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # a disk's decay has no writer
    store._db.execute("PRAGMA shrink_memory")  # else it goes on with what it has in its cache
    return store


def _read_to_the_end(store: SpoolStore) -> list[int]:
    numbers: list[int] = []
    while batch := store.peek(1000, 100 * MIB):
        numbers += [int(m.payload[:8]) for m in batch]
        store.commit([], ack=batch[-1].id)
    return numbers


@pytest.mark.parametrize("by", ["reading", "deleting"])
def test_damage_found_while_running_is_rescued_from_and_its_gap_told(tmp_path, caplog, by) -> None:
    path = tmp_path / "s"
    store = _damaged_while_open(path)
    epoch, damaged = store.epoch, store._db
    if by == "deleting":
        assert store.commit([("t", b"00000800")], ack=790) == [None]
        numbers = [790 - 1, *_read_to_the_end(store)][1:]
        assert numbers[-1] == 800
    else:
        numbers = _read_to_the_end(store)
        assert len(numbers) > 780
    assert numbers == sorted(set(numbers))
    assert store.salvage is not None
    assert store.salvage.kept.exists()
    assert store.epoch == epoch
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        damaged.execute("SELECT 1")
    ((first, last),) = store.account.gaps
    assert last - first < 20
    assert store.salvage.kept.name in caplog.text
    assert f"({first}, {last})" in caplog.text
    exact(store)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    store.close()


# A real full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_at(tmp_path / "disk", 8) as folder:
        yield folder


@pytest.mark.parametrize("quota", [4 * MIB, 64 * MIB], ids=["quota", "disk"])
def test_a_producer_five_times_faster_than_the_cloud_loses_exactly_what_is_counted(
    small_disk: Path, quota: int
) -> None:
    """Whether the quota or the disk is the limit; then the cloud comes back and it drains."""
    path = small_disk / "s.sqlite3"
    store = store_at(path, max_bytes=quota)
    generated, delivered, largest = 0, [], 0
    while generated < 20_000:
        store.commit([("t", b"%08d" % n + bytes(1016)) for n in range(generated, generated + 50)])
        generated += 50
        batch = store.peek(10, MIB)
        delivered += [int(m.payload[:8]) for m in batch]
        store.commit([], ack=batch[-1].id)
        largest = max(largest, sum(f.stat().st_size for f in small_disk.iterdir()))
        exact(store)
        assert path.stat().st_size <= quota
    delivered += _read_to_the_end(store)
    exact(store)
    assert delivered == sorted(set(delivered))
    assert store.account.rows == 0
    account = store.account
    assert account.dropped.total() + account.refused.total() == generated - len(delivered) > 0
    # Only a quota pushes out what was taken; a full disk takes nothing new.
    assert set(account.dropped) == ({"quota_oldest"} if quota < 8 * MIB else set())
    # Beside the database there are its log and the reserve, 1 MiB each, whatever the quota.
    assert largest <= min(quota + 2 * MIB + 64 * 1024, 8 * MIB)
    store.close()
