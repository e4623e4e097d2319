"""The spool's file: how it is opened, and what a rescue keeps, to the number."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from contract.durable import database as durable
from contract.durable.database import is_damage
from edgecore.uplink import database
from edgecore.uplink.database import open_database, rescue
from edgecore.uplink.spool_store import SpoolStore

PAGES = 4096
KIB = 1024


def opened(path: Path, pages: int = PAGES) -> sqlite3.Connection:
    connection, salvage = open_database(path, pages)
    assert salvage is None
    return connection


def pragma(connection: sqlite3.Connection, name: str):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_commit_is_durable_and_the_log_stays_small(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a" / "b" / "s")
    expected = {"page_size": 4096, "journal_mode": "wal", "synchronous": 2,
                "wal_autocheckpoint": 64, "journal_size_limit": 1 << 20,
                "max_page_count": PAGES}  # fmt: skip
    assert {name: pragma(connection, name) for name in expected} == expected
    epoch = connection.execute("SELECT value FROM meta WHERE key='epoch'").fetchone()[0]
    assert len(bytes.fromhex(epoch)) == 4
    connection.close()
    again = opened(tmp_path / "a" / "b" / "s")
    assert again.execute("SELECT value FROM meta").fetchall() == [(epoch,)]


@pytest.mark.parametrize(("pages", "log_kib"), [(64, 64), (PAGES, 1024)])
def test_the_log_takes_its_space_at_once_and_leaves_nothing_behind(
    tmp_path, pages, log_kib
) -> None:
    connection = opened(tmp_path / "s", pages)
    assert log_kib * KIB <= (tmp_path / "s-wal").stat().st_size < (log_kib + 64) * KIB
    assert connection.execute("SELECT count(*) FROM meta WHERE key='reserve'").fetchone() == (0,)
    assert not connection.in_transaction


def test_where_the_log_finds_no_space_the_spool_opens_all_the_same(tmp_path: Path) -> None:
    store = SpoolStore(tmp_path / "s", max_bytes=262_144, policy="drop_oldest")
    store.commit([("t", bytes(1000))] * 400)
    store.close()
    connection = opened(tmp_path / "s", pages=64)  # the file has its quota of pages already
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM message").fetchone()[0] > 200


def coded(code: int, text: str = "") -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(text)
    error.sqlite_errorcode = code
    return error


def test_damage_is_told_from_a_full_disk_by_code_or_by_words() -> None:
    assert [is_damage(coded(c)) for c in (11, 26, 11 | 1 << 8)] == [True] * 3
    assert [is_damage(coded(c, "malformed")) for c in (5, 8, 10, 12, 13, 27)] == [False] * 6
    assert is_damage(sqlite3.DatabaseError("database disk image is malformed"))
    assert is_damage(sqlite3.DatabaseError("file is not a database"))
    assert not is_damage(sqlite3.DatabaseError("database or disk is full"))


def test_the_limit_for_the_check_at_start_is_inclusive(tmp_path, monkeypatch) -> None:
    assert database._QUICK_CHECK_BYTES == 64 << 20
    filled(tmp_path / "s")
    path, size = tmp_path / "s", (tmp_path / "s").stat().st_size
    garble(path, 0.9)
    monkeypatch.setattr(database, "_QUICK_CHECK_BYTES", size - 1)
    opened(path).close()
    monkeypatch.setattr(database, "_QUICK_CHECK_BYTES", path.stat().st_size)
    assert open_database(path, PAGES)[1] is not None


def garble(path: Path, at: float) -> None:
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * at) // 4096 * 4096)
        file.write(os.urandom(4096))


def filled(path: Path, count: int = 800) -> str:
    """Every fourth message leaves again, so that ids are not simply counted. The epoch."""
    store = SpoolStore(path, max_bytes=16 << 20, policy="drop_oldest")
    for number in range(count):
        store.commit([("t", b"%08d" % number + bytes(992))])
    epoch = store.epoch
    store.close()
    return epoch


@pytest.mark.parametrize("at", [0.5, 0.9])
def test_the_gap_begins_after_what_was_read_from_the_front_and_ends_before_the_back(
    tmp_path: Path, caplog, at: float
) -> None:
    path = tmp_path / "s"
    epoch = filled(path)
    garble(path, at)
    connection, salvage = open_database(path, PAGES)
    ids = [row[0] for row in connection.execute("SELECT id FROM message ORDER BY id")]
    first, last = salvage.gap
    missing = sorted(set(range(1, 801)) - set(ids))
    assert (first, last) == (missing[0], missing[-1])
    assert len(ids) == salvage.rescued == 800 - (last - first + 1)
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    assert meta["epoch"] == epoch
    assert "moved aside" in caplog.text
    assert str(salvage.kept) in caplog.text
    connection.execute("INSERT INTO message(size, topic, payload) VALUES (1, 't', 'x')")
    assert connection.execute("SELECT max(id) FROM message").fetchone() == (801,)


def test_numbers_go_on_after_the_last_one_given_out_also_if_all_had_left(tmp_path: Path) -> None:
    path = tmp_path / "s"
    filled(path, 50)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM message")
    connection, salvage = rescue(path, PAGES, sqlite3.DatabaseError())
    assert (salvage.rescued, salvage.gap) == (0, None)
    connection.execute("INSERT INTO message(size, topic, payload) VALUES (1, 't', 'x')")
    assert connection.execute("SELECT id FROM message").fetchall() == [(51,)]


def test_a_file_that_was_cut_gives_what_lies_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "s"
    filled(path)
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)
    connection, salvage = open_database(path, PAGES)
    ids = [row[0] for row in connection.execute("SELECT id FROM message ORDER BY id")]
    missing = sorted(set(range(1, 801)) - set(ids))
    assert len(ids) == salvage.rescued > 200
    assert salvage.gap == (missing[0], missing[-1])


def test_each_rescue_keeps_its_own_files_with_their_log(tmp_path: Path) -> None:
    path, kept = tmp_path / "s", set()
    for number in (1, 2, 3):
        path.write_bytes(b"no database, number %d " % number * 400)
        (tmp_path / "s-wal").write_bytes(b"log %d" % number)
        connection, salvage = open_database(path, PAGES)
        connection.close()
        assert salvage.kept.parent == tmp_path
        assert salvage.kept.name.startswith("s.corrupt-")
        kept.add(salvage.kept)
        assert (salvage.rescued, salvage.gap) == (0, (1, 1))
        assert salvage.kept.read_bytes().startswith(b"no database, number %d" % number)
    assert len({path for path in kept if path.exists()}) == 3


def test_where_the_damaged_file_is_gone_a_new_one_begins_and_nothing_is_claimed(
    tmp_path, monkeypatch
) -> None:
    """Somebody took it away between the two steps."""

    def taken_away(path: str, _aside: str) -> None:
        Path(path).unlink()

    (tmp_path / "s").write_bytes(b"no database" * 400)
    monkeypatch.setattr(durable, "move_aside", taken_away)
    connection, salvage = open_database(tmp_path / "s", PAGES)
    assert (salvage.rescued, salvage.gap) == (0, None)
    assert connection.execute("SELECT count(*) FROM message").fetchone() == (0,)
