"""SQLite as journal, store and spool use it: committed is durable, and a full disk drains.

- WAL with `synchronous=FULL`: a commit that returned survives a power cut.
- A checkpoint every 64 pages keeps the WAL file small, and it is never shortened below
  that: deleting rows on a full disk then needs no new space.
- `max_page_count` is the quota: the file never grows beyond it.
- A file that is not a sound database is set aside, never deleted, and a new one begun with
  what still reads of it: the owner is told and reports what that means.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from contextlib import contextmanager
from typing import Iterator, Mapping, NamedTuple

from contract.durable import overwritten
from contract.durable.aside import forget_old, move_aside, name_aside
from contract.durable.overwritten import Watched
from contract.durable.room import PAGE_BYTES, give_up_reserve
from contract.durable.salvage import Salvage, columns_of, salvage
from contract.durable.trouble import failing_of

CHECKPOINT_PAGES = 64
BUSY_S = 5.0
# Of the databases that are open, to ask them whether there is room.
_folders: set[str] = set()
#: The path of a database that is in memory only.
MEMORY = ":memory:"
_CORRUPT, _NOT_A_DATABASE = 11, 26  # https://www.sqlite.org/rescode.html

_log = logging.getLogger("fanfold.durable")


class Opened(NamedTuple):
    """`salvage`: what was there was damaged; it is set aside, and this came out of it."""

    connection: Watched
    salvage: Salvage | None


class DamagedError(sqlite3.DatabaseError):
    """SQLite's own check found the file damaged."""


class OverwrittenError(DamagedError):
    """Somebody else wrote into the file while its owner had it open."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} was written into by others while it was in use, as by a backup that is copied "
            "over it; put backups back only while the core is stopped"
        )


class Format(NamedTuple):
    """What an owner keeps in its file.

    `schema`: idempotent SQL; `version`: of the tables, 1 and up; `quota_bytes`: the file's
    size at most; `check_bytes`: a larger file is not checked as a whole when it is opened,
    its damage is found when it is read; `log_bytes`: what the WAL file keeps of its space;
    `shared`: other processes may open it as well. `steps[n]` is the SQL that makes version n
    of version n - 1; a file of an older version takes one step after the other, each in a
    transaction. A file that no step leads from, or of a newer version, is set aside like a
    damaged one, and what this version understands of it goes on.
    """

    schema: str
    version: int
    quota_bytes: int
    check_bytes: int | None = None
    log_bytes: int = 2 * CHECKPOINT_PAGES * PAGE_BYTES
    shared: bool = False
    steps: Mapping[int, str] = {}


def open_database(path: str, form: Format) -> Opened:
    """Open or create the database at `path`.

    The connection belongs to one thread at a time and is in autocommit mode: begin and
    commit are the owner's. Raises `OSError` or `sqlite3.OperationalError` where the
    place cannot be written at all.
    """
    if path == MEMORY:
        return Opened(_connect(path, form), None)
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    _folders.add(folder)
    if overwritten.noted(path):
        return rescue(path, form, OverwrittenError(path))
    existed = os.path.exists(path) and os.path.getsize(path) > 0
    try:
        return Opened(_connect_with_room(path, form), None)
    except sqlite3.DatabaseError as error:
        if not existed or not is_damage(error):
            raise
        return rescue(path, form, error)


def rescue(path: str, form: Format, error: sqlite3.Error) -> Opened:
    """Set the damaged file aside and begin a new one with what still reads of it.

    For a file found damaged by `error` while it is in use: close its connection first.
    """
    aside = overwritten.noted(path)
    if not aside:
        aside = name_aside(path)
        move_aside(path, aside)
    forget_old(path)
    fresh = _connect(path, form)
    found = salvage(aside, fresh)
    if isinstance(error, OverwrittenError):
        # Whatever reads is of another time, and what came since is missing in each table.
        found = found._replace(broken=tuple(found.rows))
    overwritten.forget(path)
    _log.error(
        "%s is damaged or not of this format (%s): moved aside, kept as %s, rescued %s; "
        "may have lost rows of: %s",
        path,
        error,
        aside,
        ", ".join(f"{count} {table}" for table, count in found.rows.items()),
        ", ".join(found.broken) or "none",
    )
    return Opened(fresh, found)


@contextmanager
def transaction(connection: sqlite3.Connection, synced: bool = True) -> Iterator[None]:
    """All of the block or nothing of it, durable when the block is left.

    `synced` False: it does not wait for the disk. A process that ends keeps it, a power cut may
    take it, and the next transaction that waits makes it durable too.
    """
    if not synced:
        connection.execute("PRAGMA synchronous=NORMAL")
        try:
            with transaction(connection):
                yield
        finally:
            connection.execute("PRAGMA synchronous=FULL")
        return
    watched = connection if isinstance(connection, Watched) else None
    if watched:
        require_own(watched)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        if watched:
            watched.settle()


def require_own(connection: Watched) -> None:
    """Raises `OverwrittenError` where others wrote into the file since the last transaction; it is
    set aside then: so nothing of ours is written into it any more, also when it is closed."""
    if connection.is_overwritten():
        path = connection.path
        aside = name_aside(path)
        overwritten.note(path, aside)
        move_aside(path, aside, log_apart=True)
        raise OverwrittenError(path)


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite refused for want of space: the quota's or the disk's."""
    text = str(error)
    return not isinstance(error, DamagedError) and ("full" in text or "disk I/O error" in text)


def is_out_of_room(error: sqlite3.Error) -> bool:
    """As `is_full`, and every other I/O error is none: it is for the top, and ends the process.

    After a failed fsync the kernel counts the pages as clean, so that a second fsync on the
    same file would succeed and mean nothing (PostgreSQL's lesson of 2018). The next process
    reads what is on the disk, and writes it to the database file anew.
    """
    text = str(error)
    if isinstance(error, DamagedError):
        return False
    if "full" in text:
        return True
    # What SQLite says of EDQUOT, too, and Python 3.8 does not tell which it was.
    return "disk I/O error" in text and any(map(_has_no_space, _folders))


def _has_no_space(folder: str) -> bool:
    return failing_of(folder) in (errno.ENOSPC, errno.EDQUOT)


def is_damage(error: sqlite3.Error) -> bool:
    """Corruption, as opposed to a full disk, a locked file or missing rights."""
    if isinstance(error, DamagedError):
        return True
    code = getattr(error, "sqlite_errorcode", None)  # Python 3.11
    if code is not None:
        return code & 0xFF in (_CORRUPT, _NOT_A_DATABASE)
    text = str(error)
    return "malformed" in text or "not a database" in text


def _connect_with_room(path: str, form: Format) -> Watched:
    """Opening writes a little: on a full disk with the space that was kept for it."""
    try:
        return _connect(path, form)
    except sqlite3.OperationalError as error:
        if is_full(error) and give_up_reserve(path):
            return _connect(path, form)
        if "unable to open" in str(error):  # SQLite does not say which
            raise sqlite3.OperationalError(f"{path}: {error}") from None
        raise


def _connect(path: str, form: Format) -> Watched:
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256,
        factory=Watched,
    )  # fmt: skip
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        if not form.shared:
            # Before WAL: then its index is in memory, and a full disk needs no file for it.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit={form.log_bytes}")
        connection.execute(f"PRAGMA max_page_count={max(form.quota_bytes // PAGE_BYTES, 64)}")
        found = _check(connection, path, form)
        for step in range(found + 1, form.version + 1) if found else ():
            _take_step(connection, path, form, step)
        connection.executescript(f"{form.schema};PRAGMA user_version={form.version};")
        _check_columns(connection, form)
        # What an earlier process could not sync is written to the file anew, and synced.
        connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
        if not form.shared and path != MEMORY:
            connection.watch(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: str, form: Format) -> int:
    """The file's version, 0 for a new one."""
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > form.version:
        raise DamagedError(f"it has format {found}, this version reads up to {form.version}")
    if form.check_bytes is not None and path != MEMORY and os.path.getsize(path) > form.check_bytes:
        return found
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise DamagedError(f"database disk image is malformed: {answer}")
    return found


def _take_step(connection: sqlite3.Connection, path: str, form: Format, step: int) -> None:
    if step not in form.steps:
        raise DamagedError(f"no step leads to format {step}")
    sql = f"BEGIN IMMEDIATE;{form.steps[step]}PRAGMA user_version={step};COMMIT;"
    try:
        connection.executescript(sql)
    except sqlite3.OperationalError as error:
        if is_full(error):
            raise
        raise DamagedError(f"the step to format {step} does not fit: {error}") from None
    _log.info("%s is of format %d now", path, step)


def _check_columns(connection: sqlite3.Connection, form: Format) -> None:
    """A file may say a format and have tables of another."""
    fresh = sqlite3.connect(MEMORY)
    fresh.executescript(form.schema)
    tables = fresh.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
    for (table,) in tables:
        if not set(columns_of(fresh, table)) <= set(columns_of(connection, table)):
            raise DamagedError(f"its table {table} has not the columns of its format")
    fresh.close()
