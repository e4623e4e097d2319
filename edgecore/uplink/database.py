"""The spool's SQLite file: how it is opened, and how it is saved when it is damaged.

WAL with ``synchronous=FULL``: a commit is on the disk. Small checkpoints and a WAL that
keeps its space matter on a full disk: there even a DELETE needs to write, and a spool
that cannot delete can never drain (measured: a naive one stays wedged for good).
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

PAGE_BYTES = 4096
_CHECKPOINT_PAGES = 64
_WAL_KEPT_BYTES = 1 << 20
_RESERVE_BYTES = 1 << 20
_QUICK_CHECK_BYTES = 64 << 20  # larger files are found damaged when the damage is read
_CORRUPT, _NOT_A_DATABASE = 11, 26  # SQLite result codes
_SCHEMA = """
CREATE TABLE IF NOT EXISTS message(
  id INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, topic TEXT NOT NULL,
  payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, kw_only=True)
class Salvage:
    """A damaged file was set aside as ``kept``; ids in ``gap`` (inclusive) may be lost."""

    kept: Path
    rescued: int
    gap: tuple[int, int] | None


def open_database(path: Path | None, max_pages: int) -> tuple[sqlite3.Connection, Salvage | None]:
    """Open, or rescue and open anew. ``None``: in memory."""
    if path is None:
        return _open(":memory:", max_pages), None
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = _open(str(path), max_pages)
        _check(connection, path)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        log.error("spool %s is damaged (%s): moved aside", path, error)  # noqa: TRY400
        return rescue(path, max_pages)
    return connection, None


def is_damage(error: sqlite3.Error) -> bool:
    """Corruption, as opposed to a full disk, a locked file or missing rights."""
    code = getattr(error, "sqlite_errorcode", None)  # Python 3.11
    if code is not None:
        return code & 0xFF in (_CORRUPT, _NOT_A_DATABASE)
    text = str(error)
    return "malformed" in text or "not a database" in text


def rescue(path: Path, max_pages: int) -> tuple[sqlite3.Connection, Salvage]:
    """Set the damaged file aside, start a new one, copy over whatever still reads."""
    kept = _set_aside(path)
    connection = _open(str(path), max_pages)
    rescued, gap = 0, None
    try:
        damaged = sqlite3.connect(f"{kept.as_uri()}?mode=rw", uri=True, isolation_level=None)
    except sqlite3.Error:
        return connection, Salvage(kept=kept, rescued=0, gap=None)
    with contextlib.closing(damaged):
        # Else a file that is shorter than its header says is not read at all.
        damaged.execute("PRAGMA writable_schema=ON")
        connection.execute("BEGIN IMMEDIATE")
        rescued, gap = _copy(damaged, connection)
        connection.execute("COMMIT")
    return connection, Salvage(kept=kept, rescued=rescued, gap=gap)


def _open(path: str, max_pages: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit={_WAL_KEPT_BYTES}")
        connection.execute(f"PRAGMA max_page_count={max_pages}")
        connection.executescript(_SCHEMA)
        connection.execute(
            "INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (secrets.token_hex(4),)
        )
        _reserve_log(connection, max_pages)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _reserve_log(connection: sqlite3.Connection, max_pages: int) -> None:
    """Let the WAL grow once while there is room, so that later deletes find it there."""
    size_bytes = min(_RESERVE_BYTES, max_pages * PAGE_BYTES // 4)
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('reserve', zeroblob(?))", (size_bytes,)
            )
            connection.execute("DELETE FROM meta WHERE key='reserve'")
            connection.execute("COMMIT")
        except sqlite3.OperationalError:
            connection.execute("ROLLBACK")
            raise


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > _QUICK_CHECK_BYTES:
        return
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    if verdict != "ok":
        connection.close()
        damage = sqlite3.DatabaseError(f"database disk image is malformed: {verdict}")
        damage.sqlite_errorcode = _CORRUPT  # type: ignore[attr-defined]
        raise damage


def _set_aside(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


def _copy(
    damaged: sqlite3.Connection, fresh: sqlite3.Connection
) -> tuple[int, tuple[int, int] | None]:
    """From the front up to the damage, then from the back down to it."""
    last_id = _copy_identity(damaged, fresh)
    front = _copy_rows(damaged, fresh, "ASC", 0)
    if front.complete:
        return front.rows, None
    back = _copy_rows(damaged, fresh, "DESC", front.last)
    first = front.last + 1
    last = back.last - 1 if back.rows else last_id
    return front.rows + back.rows, (first, max(first, last))


def _copy_identity(damaged: sqlite3.Connection, fresh: sqlite3.Connection) -> int:
    """Keep epoch and numbering together or neither: a receiver would take new messages
    with old numbers of the same epoch for duplicates. The last id given out, or 0."""
    try:
        meta = damaged.execute("SELECT key, value FROM meta").fetchall()
        (last_id,) = damaged.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='message'"
        ).fetchone()
    except (sqlite3.DatabaseError, ValueError):
        return 0
    fresh.executemany("INSERT OR REPLACE INTO meta VALUES (?,?)", meta)
    fresh.execute("INSERT INTO sqlite_sequence(name, seq) VALUES ('message', ?)", (last_id,))
    return int(last_id)


@dataclass
class _Copied:
    rows: int = 0
    last: int = 0
    complete: bool = False


def _copy_rows(
    damaged: sqlite3.Connection, fresh: sqlite3.Connection, order: str, above: int
) -> _Copied:
    copied = _Copied(last=above)
    query = f"SELECT id, size, topic, payload FROM message WHERE id > ? ORDER BY id {order}"  # noqa: S608
    try:
        for row in damaged.execute(query, (above,)):
            fresh.execute("INSERT OR IGNORE INTO message VALUES (?,?,?,?)", row)
            copied.rows += 1
            copied.last = row[0]
        copied.complete = True
    except (sqlite3.DatabaseError, ValueError, UnicodeDecodeError):
        pass  # where the damage is; the caller reports the gap
    return copied
