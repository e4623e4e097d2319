"""Room on the disk for a database that must be able to delete when there is none.

In WAL mode a commit is not the end: its pages still have to be copied into the database
file. Where that file cannot grow the log never empties, and then nothing can be deleted
any more, because a DELETE is written to the log as well. So new rows are refused while
the disk cannot take them twice, and a reserve is given up where others filled the disk.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

from contract.durable.overwritten import Watched
from contract.durable.trouble import failing_of

PAGE_BYTES = 4096
MARGIN_BYTES = 1 << 20
RESERVE_BYTES = 1 << 20


class Room:
    def __init__(self, database: str) -> None:
        self._folder = os.path.dirname(database)
        self._database = database
        self._reserve = _reserve_of(database)
        self.hold()

    def spare_bytes(self) -> int:
        disk = os.statvfs(self._folder)
        return max(0, disk.f_bavail * disk.f_frsize - MARGIN_BYTES)

    def fits(self, connection: sqlite3.Connection, new_bytes: int) -> bool:
        """Whether rows of that size may be added: in the file's free pages, or on the disk."""
        wanted = new_bytes + new_bytes // 4 + 4 * PAGE_BYTES
        if self.spare_bytes() >= 2 * wanted:
            return True
        free = connection.execute("PRAGMA freelist_count").fetchone()[0] * PAGE_BYTES
        return bool(free >= wanted)

    def used_bytes(self, connection: sqlite3.Connection) -> int:
        """Of the file, without its free pages."""
        pages, free = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count")
        )
        return int(pages - free) * PAGE_BYTES

    def works(self) -> bool:
        """Whether a little file can be written and synced beside it."""
        return not failing_of(self._folder)

    def hold(self) -> None:
        """Take the reserve, or take it again, when there is plenty."""
        if os.path.exists(self._reserve) or self.spare_bytes() < 2 * RESERVE_BYTES:
            return
        with contextlib.suppress(OSError), open(self._reserve, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def make(self, connection: sqlite3.Connection) -> None:
        """Empty the log into the database file, with the reserve's space where it is needed."""
        give_up_reserve(self._database)
        self.empty_log(connection)

    def empty_log(self, connection: sqlite3.Connection) -> None:
        """As `make`, without the reserve: that is for what deletes."""
        # Who asked for room tries its transaction again, and hears from that whether there is.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if isinstance(connection, Watched):
            connection.settle()


def give_up_reserve(database: str) -> bool:
    """False: there was none."""
    try:
        os.remove(_reserve_of(database))
    except FileNotFoundError:
        return False
    return True


def _reserve_of(database: str) -> str:
    return f"{database}.reserve"
