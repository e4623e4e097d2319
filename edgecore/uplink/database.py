"""The spool's tables, and what of them a rescue keeps (opened by `contract.durable`).

A spool that cannot delete can never drain, and even a DELETE needs to write (measured: a
naive one stays wedged on a full disk for good). So the WAL takes its space while there is some.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from contract.durable import database
from contract.durable.database import MEMORY, Format
from contract.durable.overwritten import Watched
from contract.durable.room import PAGE_BYTES
from contract.durable.salvage import Salvage as Found

_LOG_BYTES = 1 << 20
_QUICK_CHECK_BYTES = 64 << 20  # larger files are found damaged when the damage is read
_FORMAT = 1
_FULL = 13  # https://www.sqlite.org/rescode.html
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


def open_database(path: Path | None, max_pages: int) -> tuple[Watched, Salvage | None]:
    """Open, or rescue and open anew. ``None``: in memory."""
    place = str(path) if path is not None else MEMORY
    return _ready(database.open_database(place, _format(max_pages)), max_pages, place)


def rescue(path: Path, max_pages: int, error: sqlite3.Error) -> tuple[Watched, Salvage | None]:
    """The file was found damaged while it was in use; its connection is closed."""
    opened = database.rescue(str(path), _format(max_pages), error)
    return _ready(opened, max_pages, str(path))


def is_full(error: sqlite3.Error) -> bool:
    """No room: on the disk, or within ``max_page_count``."""
    code = getattr(error, "sqlite_errorcode", None)  # Python 3.11
    return code & 0xFF == _FULL if code is not None else "is full" in str(error)


def new_epoch(connection: sqlite3.Connection) -> str:
    """Give what is in the file a name that no message has had."""
    epoch = secrets.token_hex(4)
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", (epoch,))
    return epoch


def _format(max_pages: int) -> Format:
    return Format(
        _SCHEMA,
        _FORMAT,
        max_pages * PAGE_BYTES,
        check_bytes=_QUICK_CHECK_BYTES,
        log_bytes=_LOG_BYTES,
        shared=True,
    )


def _ready(opened: database.Opened, max_pages: int, path: str) -> tuple[Watched, Salvage | None]:
    connection, found = opened
    try:
        salvage = _identified(connection, found) if found else None
        connection.execute(
            "INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (secrets.token_hex(4),)
        )
        _reserve_log(connection, max_pages)
        if path != database.MEMORY:
            connection.watch(path)  # others may read it, and nobody writes into it
    except sqlite3.Error:
        connection.close()
        raise
    return connection, salvage


def _identified(connection: sqlite3.Connection, found: Found) -> Salvage:
    """Keep epoch and numbering together or neither: a receiver would take new messages
    with old numbers of the same epoch for duplicates."""
    if "meta" in found.broken or not found.counted:
        connection.execute("DELETE FROM meta")
    return Salvage(
        kept=Path(found.kept), rescued=found.rows["message"], gap=_gap(connection, found)
    )


def _gap(connection: sqlite3.Connection, found: Found) -> tuple[int, int] | None:
    hole = found.holes.get("message")
    if hole is None:
        return None
    front, back = hole
    first = (front or 0) + 1
    last = back - 1 if back is not None else _last_id(connection, found)
    return first, max(first, last)


def _last_id(connection: sqlite3.Connection, found: Found) -> int:
    """The last id given out, 0 where nobody knows."""
    (last,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='message'"
    ).fetchone()
    return int(last) if found.counted else 0


def _reserve_log(connection: sqlite3.Connection, max_pages: int) -> None:
    """Let the WAL grow once while there is room, so that later deletes find it there."""
    size_bytes = min(_LOG_BYTES, max_pages * PAGE_BYTES // 4)
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
