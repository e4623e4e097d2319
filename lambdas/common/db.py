"""SQLite as both journals use it: committed is durable, and a full disk drains.

- WAL with `synchronous=FULL`: a commit that returned survives a power cut.
- A checkpoint every 64 pages keeps the WAL file small, and it is never shortened below
  that: deleting rows on a full disk then needs no new space.
- `max_page_count` is the quota: the file never grows beyond it.
- A file that is not a sound database is set aside, never deleted, and a new one begun with
  what still reads of it: the owner is told and reports what that means.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from typing import Iterator, NamedTuple

from lambdas.common.log import get_logger
from lambdas.common.room import give_up_reserve
from lambdas.common.salvage import Salvage, salvage

PAGE_BYTES = 4096
CHECKPOINT_PAGES = 64
BUSY_S = 5.0
# Quarantined files that are kept; without a bound a failing disk would fill itself.
KEEP_CORRUPT = 3

_log = get_logger("db")


class Opened(NamedTuple):
    """`salvage`: what was there was damaged; it is set aside, and this came out of it."""

    connection: sqlite3.Connection
    salvage: Salvage | None


def open_database(path: str, schema: str, version: int, quota_bytes: int) -> Opened:
    """Open or create the database at `path` with `schema` (idempotent SQL).

    The connection belongs to one thread at a time and is in autocommit mode: begin and
    commit are the owner's. Raises `OSError` or `sqlite3.OperationalError` where the
    place cannot be written at all.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    existed = os.path.exists(path) and os.path.getsize(path) > 0
    try:
        return Opened(_connect_with_room(path, schema, version, quota_bytes), None)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) or not existed:
            raise
        aside = _quarantine(path)
        fresh = _connect(path, schema, version, quota_bytes)
        found = salvage(aside, fresh)
        _log.error(
            "%s is damaged (%s); kept as %s, rescued %s; may have lost rows of: %s",
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
    """Whether SQLite refused for want of space: the quota's or the disk's."""
    text = str(error)
    return "full" in text or "disk I/O error" in text


def _connect_with_room(
    path: str, schema: str, version: int, quota_bytes: int
) -> sqlite3.Connection:
    """Opening writes a little: on a full disk with the space that was kept for it."""
    try:
        return _connect(path, schema, version, quota_bytes)
    except sqlite3.OperationalError as error:
        if is_full(error) and give_up_reserve(path):
            return _connect(path, schema, version, quota_bytes)
        if "unable to open" in str(error):  # SQLite does not say which
            raise sqlite3.OperationalError(f"{path}: {error}") from None
        raise


def _connect(path: str, schema: str, version: int, quota_bytes: int) -> sqlite3.Connection:
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
        _check(connection, path, version)
        connection.executescript(f"{schema};PRAGMA user_version={version};")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: str, version: int) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found not in (0, version):
        raise sqlite3.OperationalError(
            f"{path} has format {found}, this version reads {version}: move it away to begin anew"
        )
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


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
