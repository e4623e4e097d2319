"""SQLite as both journals use it: committed is durable, and a full disk drains.

- WAL with `synchronous=FULL`: a commit that returned survives a power cut.
- A checkpoint every 64 pages keeps the WAL file small, and it is never shortened below
  that: deleting rows on a full disk then needs no new space.
- `max_page_count` is the quota: the file never grows beyond it.
- A file that is not a sound database is set aside, never deleted, and a new one begun with
  what still reads of it: the owner is told and reports what that means.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import time
from contextlib import contextmanager
from typing import Dict, Iterator, NamedTuple

from lambdas.common.log import get_logger
from lambdas.common.room import give_up_reserve
from lambdas.common.salvage import Salvage, columns_of, salvage

PAGE_BYTES = 4096
CHECKPOINT_PAGES = 64
BUSY_S = 5.0
# Quarantined files that are kept; without a bound a failing disk would fill itself.
KEEP_CORRUPT = 3
PROBE_BYTES = 64 << 10
# Of the databases that are open, to ask them whether there is room.
_folders: set[str] = set()

_log = get_logger("db")


Steps = Dict[int, str]


class Opened(NamedTuple):
    """`salvage`: what was there was damaged; it is set aside, and this came out of it."""

    connection: sqlite3.Connection
    salvage: Salvage | None


def open_database(
    path: str, schema: str, version: int, quota_bytes: int, steps: Steps | None = None
) -> Opened:
    """Open or create the database at `path` with `schema` (idempotent SQL).

    `steps[n]` is the SQL that makes format n of format n - 1; a file of an older format takes
    one step after the other, each in a transaction. A file of a newer format is set aside
    like a damaged one, and what this version understands of it goes on.

    The connection belongs to one thread at a time and is in autocommit mode: begin and
    commit are the owner's. Raises `OSError` or `sqlite3.OperationalError` where the
    place cannot be written at all.
    """
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    _folders.add(folder)
    existed = os.path.exists(path) and os.path.getsize(path) > 0
    try:
        return Opened(_connect_with_room(path, schema, version, quota_bytes, steps or {}), None)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) or not existed:
            raise
        aside = _quarantine(path)
        fresh = _connect(path, schema, version, quota_bytes, {})
        found = salvage(aside, fresh)
        _log.error(
            "%s is damaged or not of this format (%s); kept as %s, rescued %s; "
            "may have lost rows of: %s",
            path,
            error,
            aside,
            ", ".join(f"{count} {table}" for table, count in found.rows.items()),
            ", ".join(found.broken) or "none",
        )
        return Opened(fresh, found)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing of it, durable when the block is left."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite refused for want of space: the quota's or the disk's.

    Any other I/O error is raised to the top and ends the process: after a failed fsync the
    kernel counts the pages as clean, so that a second fsync on the same file would succeed and
    mean nothing (PostgreSQL's lesson of 2018). The next process reads from the disk what is
    there, and writes it to the database file anew.
    """
    text = str(error)
    if "full" in text:
        return True
    # What SQLite says of EDQUOT, too, and Python 3.8 does not tell which it was.
    return "disk I/O error" in text and any(map(_has_no_space, _folders))


def _has_no_space(folder: str) -> bool:
    probe = os.path.join(folder, f".space-{os.getpid()}")
    try:
        with open(probe, "wb", buffering=0) as file:
            file.write(bytes(PROBE_BYTES))
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    else:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.remove(probe)


def _connect_with_room(
    path: str, schema: str, version: int, quota_bytes: int, steps: Steps
) -> sqlite3.Connection:
    """Opening writes a little: on a full disk with the space that was kept for it."""
    try:
        return _connect(path, schema, version, quota_bytes, steps)
    except sqlite3.OperationalError as error:
        if is_full(error) and give_up_reserve(path):
            return _connect(path, schema, version, quota_bytes, steps)
        if "unable to open" in str(error):  # SQLite does not say which
            raise sqlite3.OperationalError(f"{path}: {error}") from None
        raise


def _connect(
    path: str, schema: str, version: int, quota_bytes: int, steps: Steps
) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        # Before WAL: then its index is in memory, and a full disk needs no file for it.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit={2 * CHECKPOINT_PAGES * PAGE_BYTES}")
        connection.execute(f"PRAGMA max_page_count={max(quota_bytes // PAGE_BYTES, 64)}")
        found = _check(connection, version)
        for step in range(found + 1, version + 1) if found else ():
            _take_step(connection, path, steps[step], step)
        connection.executescript(f"{schema};PRAGMA user_version={version};")
        _check_columns(connection, schema)
        # What an earlier process could not sync is written to the file anew, and synced.
        connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, version: int) -> int:
    """The file's format, 0 for a new one. `sqlite3.DatabaseError`: it cannot be read."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > version:
        raise sqlite3.DatabaseError(f"it has format {found}, this version reads up to {version}")
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    return found


def _take_step(connection: sqlite3.Connection, path: str, sql: str, step: int) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE;{sql}PRAGMA user_version={step};COMMIT;")
    except sqlite3.OperationalError as error:
        if is_full(error) or "disk I/O error" in str(error):
            raise
        raise sqlite3.DatabaseError(f"no step to format {step}: {error}") from None
    _log.info("%s is of format %d now", path, step)


def _check_columns(connection: sqlite3.Connection, schema: str) -> None:
    """A file may say a format and have tables of another."""
    fresh = sqlite3.connect(":memory:")
    fresh.executescript(schema)
    for (table,) in fresh.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
        wanted = columns_of(fresh, table)
        if not set(wanted) <= set(columns_of(connection, table)):
            raise sqlite3.DatabaseError(f"its table {table} has not the columns of its format")
    fresh.close()


def _quarantine(path: str) -> str:
    stamp = f"{time.time_ns()}"
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.replace(path + suffix, f"{path}.corrupt-{stamp}{suffix}")
    _forget_old(path)
    return f"{path}.corrupt-{stamp}"


def _forget_old(path: str) -> None:
    folder, name = os.path.split(path)
    stamps = sorted(
        {f.split(".corrupt-")[1].split("-")[0] for f in os.listdir(folder) if ".corrupt-" in f}
    )
    for old in stamps[:-KEEP_CORRUPT]:
        for suffix in ("", "-wal", "-shm"):
            aside = os.path.join(folder, f"{name}.corrupt-{old}{suffix}")
            if os.path.exists(aside):
                os.remove(aside)
