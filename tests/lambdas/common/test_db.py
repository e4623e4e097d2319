"""How both journals open their file: durable, small, within its quota, and never deleted."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contract.durable import database as db_module
from contract.durable.aside import KEEP_CORRUPT
from contract.durable.database import (
    Format,
    is_damage,
    is_full,
    is_out_of_room,
    open_database,
    transaction,
)
from contract.durable.room import Room

SCHEMA = "CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, body TEXT)"
QUOTA = 1 << 20
NO_DATABASE = b"this is not a database" * 400


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "some" / "where" / "d.sqlite3")


def opened(path, quota=QUOTA, version=1):
    return open_database(path, Format(SCHEMA, version, quota))


def pragma(connection, name):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize(("quota", "pages"), [(QUOTA, 256), (QUOTA + 4095, 256), (1, 64)])
def test_a_commit_is_durable_the_log_small_and_the_quota_kept(path, quota, pages):
    connection, salvage = opened(path, quota)
    expected = {
        "page_size": 4096, "journal_mode": "wal", "synchronous": 2, "locking_mode": "exclusive",
        "wal_autocheckpoint": 64, "journal_size_limit": 2 * 64 * 4096, "max_page_count": pages,
        "user_version": 1,
    }  # fmt: skip
    assert {name: pragma(connection, name) for name in expected} == expected
    assert salvage is None
    connection.execute("INSERT INTO t VALUES(1, 'x')")
    assert not Path(path + "-shm").exists(), "its index is in memory"
    connection.close()
    connection, salvage = opened(path, quota)
    assert (connection.execute("SELECT * FROM t").fetchall(), salvage) == ([(1, "x")], None)
    connection.close()


def test_it_may_be_opened_in_one_thread_and_used_in_another(path):
    connection, _ = opened(path)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(connection.execute, "SELECT 1").result(10).fetchone() == (1,)


@pytest.mark.parametrize("synced", [True, False])
def test_a_transaction_waits_for_the_disk_unless_it_was_told_not_to(path, synced):
    connection = opened(path).connection
    full, normal = 2, 1

    def torn():
        with transaction(connection, synced):
            assert pragma(connection, "synchronous") == (full if synced else normal)
            connection.execute("INSERT INTO t VALUES(1, '')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        torn()
    assert pragma(connection, "synchronous") == full
    with transaction(connection, synced):
        connection.execute("INSERT INTO t VALUES(2, '')")
    assert pragma(connection, "synchronous") == full
    connection.close()
    assert opened(path).connection.execute("SELECT n FROM t").fetchall() == [(2,)]


def test_all_of_a_transaction_or_nothing_of_it(path):
    connection, _ = opened(path)
    with transaction(connection):
        connection.execute("INSERT INTO t VALUES(1, 'x')")
        assert connection.in_transaction
    assert not connection.in_transaction

    def fails(statement, error):
        with transaction(connection):
            connection.execute(statement)
            raise error

    # SQLite itself rolls back on a full disk.
    for statement in ("INSERT INTO t VALUES(2, 'x')", "ROLLBACK"):
        for error in (ValueError("mine"), KeyboardInterrupt()):
            with pytest.raises(type(error)):
                fails(statement, error)
            assert not connection.in_transaction
    assert connection.execute("SELECT n FROM t").fetchall() == [(1,)]


def test_the_quota_is_told_from_other_errors(path):
    connection, _ = opened(path)
    with pytest.raises(sqlite3.OperationalError) as full:
        connection.execute("INSERT INTO t VALUES(1, ?)", ("x" * 2 * QUOTA,))
    assert is_full(full.value)
    assert not is_out_of_room(sqlite3.OperationalError("disk I/O error"))
    with pytest.raises(sqlite3.OperationalError) as other:
        connection.execute("INSERT INTO nothing VALUES(1)")
    assert not is_full(other.value)


def test_of_a_file_of_a_newer_format_what_is_understood_goes_on_and_it_is_kept(path):
    schema = "CREATE TABLE t(n INTEGER PRIMARY KEY, body, new)"
    newer, _ = open_database(path, Format(schema, 2, QUOTA))
    newer.execute("INSERT INTO t VALUES(1, 'a', 'b')")
    newer.close()

    connection, salvage = opened(path, version=1)

    assert connection.execute("SELECT * FROM t").fetchall() == [(1, "a")]
    assert salvage.rows == {"t": 1}
    assert salvage.broken == ()
    assert Path(salvage.kept).exists()


def test_an_older_format_takes_one_step_after_the_other(path):
    first = "CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, x)"
    third = "CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, x, y, z)"
    steps = {2: "ALTER TABLE t ADD COLUMN y;", 3: "ALTER TABLE t ADD COLUMN z;"}
    old, _ = open_database(path, Format(first, 1, QUOTA))
    old.execute("INSERT INTO t VALUES(1, 'a')")
    old.close()

    connection, salvage = open_database(path, Format(third, 3, QUOTA, steps=steps))

    assert salvage is None
    assert connection.execute("SELECT * FROM t").fetchall() == [(1, "a", None, None)]
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)


def test_a_file_that_says_a_format_and_has_the_tables_of_another_is_rescued(path):
    old, _ = open_database(
        path, Format("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY)", 2, QUOTA)
    )
    old.execute("INSERT INTO t VALUES(7)")
    old.close()

    schema = "CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, x)"
    connection, salvage = open_database(path, Format(schema, 2, QUOTA))

    assert salvage is not None
    assert connection.execute("SELECT * FROM t").fetchall() == [(7, None)]


def test_an_empty_file_is_a_new_database(path):
    Path(path).parent.mkdir(parents=True)
    Path(path).touch()
    assert opened(path).salvage is None


def test_a_place_that_cannot_be_a_database_is_an_error_and_no_damage(path):
    Path(path).mkdir(parents=True)
    with pytest.raises(sqlite3.OperationalError):
        opened(path)
    assert [found.name for found in Path(path).parent.iterdir()] == ["d.sqlite3"]


def test_the_newest_damaged_files_are_kept_with_their_logs_and_others_untouched(path, caplog):
    folder = Path(path).parent
    folder.mkdir(parents=True)
    (folder / "other.sqlite3").touch()
    kept = []
    for n in range(KEEP_CORRUPT + 2):
        Path(path).write_bytes(NO_DATABASE + b"%d" % n)
        connection, salvage = opened(path)
        connection.close()
        assert salvage.broken == ("t",)
        assert f"kept as {salvage.kept}, rescued 0 t; may have lost rows of: t" in caplog.text
        kept.append(salvage.kept)
        Path(salvage.kept + "-wal").write_bytes(b"its log")
    assert KEEP_CORRUPT == 3
    found = {found.name for found in folder.glob("*.corrupt-*")}
    newest = [Path(name).name for name in kept[-KEEP_CORRUPT:]]
    assert found == {name + suffix for name in newest for suffix in ("", "-wal")}
    for n, name in enumerate(kept[-KEEP_CORRUPT:], start=2):
        assert Path(name).read_bytes() == NO_DATABASE + b"%d" % n
    assert (folder / "other.sqlite3").exists()


def test_a_damaged_page_that_only_the_check_finds_costs_its_rows(path):
    connection, _ = opened(path)
    with transaction(connection):
        connection.executemany(
            "INSERT INTO t VALUES(?, ?)", [(n, "x" * 200) for n in range(1, 1001)]
        )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    with Path(path).open("r+b") as file:
        file.seek(Path(path).stat().st_size // 2 // 4096 * 4096)
        file.write(bytes(4096))
    connection, salvage = opened(path)
    (count,) = connection.execute("SELECT count(*) FROM t").fetchone()
    assert 950 < count < 1000
    assert salvage.rows == {"t": count}
    connection.close()


@pytest.mark.parametrize("reserve", [True, False])
def test_on_a_full_disk_it_opens_with_the_space_that_was_kept(path, monkeypatch, reserve):
    opened(path).connection.close()
    kept, real, tries = Path(path + ".reserve"), db_module._connect, []
    if reserve:
        kept.write_bytes(bytes(10))

    def full_once(*arguments):
        tries.append(kept.exists())
        if len(tries) == 1:
            raise sqlite3.OperationalError("database or disk is full")
        return real(*arguments)

    monkeypatch.setattr(db_module, "_connect", full_once)
    if reserve:
        opened(path).connection.close()
        assert tries == [True, False]
    else:
        with pytest.raises(sqlite3.OperationalError, match="full"):
            opened(path)
        assert tries == [False]


def test_another_error_does_not_cost_the_reserve(path, monkeypatch):
    opened(path).connection.close()
    kept = Path(path + ".reserve")
    kept.write_bytes(bytes(10))

    def locked(*_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(db_module, "_connect", locked)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        opened(path)
    assert kept.exists()


# Written into by others


def backed_up(path, tmp_path):
    """A database with one row, a copy of it, and one row more."""
    connection, _ = opened(path)
    with transaction(connection):
        connection.execute("INSERT INTO t VALUES(1, 'x')")
    Room(path).empty_log(connection)
    with transaction(connection):
        connection.execute("INSERT INTO t VALUES(2, 'x')")
    backup = tmp_path / "backup"
    shutil.copy(path, backup)
    with transaction(connection):
        connection.execute("INSERT INTO t VALUES(3, 'x')")
    return connection, backup


def test_a_backup_that_is_copied_into_an_open_file_is_found_before_anything_is_written(
    path, tmp_path, caplog
):
    connection, backup = backed_up(path, tmp_path)
    inode = Path(path).stat().st_ino
    Path(path).write_bytes(backup.read_bytes())
    assert Path(path).stat().st_ino == inode
    stopped = pytest.raises(db_module.OverwrittenError, match="while the core is stopped")
    with stopped as found, transaction(connection):
        connection.execute("INSERT INTO t VALUES(4, 'x')")
    assert is_damage(found.value)
    assert not is_out_of_room(found.value)
    connection.close()

    again, salvage = opened(path)
    assert again.execute("SELECT n FROM t").fetchall() == [(1,)]
    assert salvage.broken == ("t",), (
        "what came after the backup is missing, and nobody can say what"
    )
    assert Path(salvage.kept).read_bytes() == backup.read_bytes(), "nothing of ours was mixed in"
    assert "written into by others" in caplog.text
    again.close()
    again, salvage = opened(path)
    assert salvage is None
    again.close()


def test_of_files_that_others_wrote_into_the_newest_are_kept_with_their_logs(path, tmp_path):
    connection, backup = backed_up(path, tmp_path)
    kept = []
    for _ in range(KEEP_CORRUPT + 2):
        with transaction(connection):
            connection.execute("INSERT INTO t VALUES(9, 'x')")
        Path(path).write_bytes(backup.read_bytes())
        with pytest.raises(db_module.OverwrittenError), transaction(connection):
            pass
        connection.close()
        connection, salvage = opened(path)
        kept.append(Path(salvage.kept).name)
    connection.close()

    found = {found.name for found in Path(path).parent.glob("*.corrupt-*")}
    assert {f"{name}-wal.left" for name in kept[-KEEP_CORRUPT:]} <= found
    assert {name.partition("-wal")[0] for name in found} == set(kept[-KEEP_CORRUPT:])


def test_what_the_owner_writes_itself_in_whatever_way_is_no_trouble(path):
    connection, _ = opened(path, quota=1 << 24)
    room = Room(path)
    for n in range(20):
        with transaction(connection):
            connection.execute("INSERT INTO t VALUES(?, ?)", (n, "x" * 100_000))
        connection.execute("UPDATE t SET body=? WHERE n=?", ("y" * 300_000, n))
        room.empty_log(connection)
    with pytest.raises(sqlite3.IntegrityError), transaction(connection):
        connection.execute("INSERT INTO t VALUES(1, 'x')")
    with transaction(connection, synced=False):
        connection.execute("DELETE FROM t")
    connection.close()


def test_a_file_that_was_written_into_and_cannot_be_noted_begins_anew(path, tmp_path, monkeypatch):
    connection, backup = backed_up(path, tmp_path)
    Path(path).write_bytes(backup.read_bytes())
    monkeypatch.setattr(db_module.overwritten, "note", lambda *_: None)
    with pytest.raises(db_module.OverwrittenError), transaction(connection):
        pass
    connection.close()
    again, salvage = opened(path)
    assert (again.execute("SELECT n FROM t").fetchall(), salvage) == ([], None)
    again.close()
