"""The spool's rows: quota, policy, order, and an exact account of what was dropped.

Everything here is synchronous and belongs to one thread. Counters are written in the
transaction that they describe, so a crash never makes them lie. What the disk does not
take is refused, and stays its owner's: only a quota drops what was taken.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from contract.durable.database import is_damage, require_own
from contract.durable.overwritten import Watched
from contract.durable.room import PAGE_BYTES, Room
from edgecore.uplink.account import Account
from edgecore.uplink.database import Salvage, is_full, new_epoch, open_database, rescue
from edgecore.uplink.settings import Policy
from edgecore.uplink.sinks import Message

log = logging.getLogger(__name__)

_ROW_BYTES = 64  # id, size, headers and the cell pointer of a row
_FIXED_PAGES = 8  # schema, meta, interior pages of the tree
_DROP_STEP = 32


class SpoolStore:
    """FIFO of messages within ``max_bytes`` of database file (``path`` None: memory)."""

    def __init__(self, path: Path | None, *, max_bytes: int, policy: Policy) -> None:
        self._path = path
        self._policy = policy
        self._max_bytes = max_bytes
        self._max_pages = max(max_bytes // PAGE_BYTES, 2 * _FIXED_PAGES)
        self._page_limit = self._max_pages
        self._acked = 0
        self._lost = False  # the connection is closed, and could not be opened again
        self.problem: str | None = None  # file and error, while it takes nothing
        self.protected = 0  # ids up to here are in flight and not dropped
        self.salvage: Salvage | None = None
        self._db, salvage = open_database(path, self._max_pages)
        self._room = Room(str(path)) if path is not None else None
        self._opened(salvage)

    def commit(self, puts: Sequence[tuple[str, bytes]], ack: int = 0) -> list[str | None]:
        """SpoolStore all ``puts`` and delete ids up to ``ack`` in one transaction.

        One entry per put: None when durable, else the reason why it was refused.
        """
        self._acked = max(self._acked, ack)
        try:
            reasons = self._durably(puts)
        except (sqlite3.DatabaseError, OSError) as error:
            return self._refused(puts, error)
        self.problem = None
        return reasons

    def _refused(self, puts: Sequence[tuple[str, bytes]], error: Exception) -> list[str | None]:
        reason = self._reason(error)
        self.problem = f"{self._path}: {error}"
        if puts and not self.account.refused[reason]:
            log.error("spool: messages are refused (%s): %s", reason, error)
        if puts:
            self.account.refused[reason] += len(puts)
        return [reason] * len(puts)

    def _durably(self, puts: Sequence[tuple[str, bytes]]) -> list[str | None]:
        """A transaction, with a second try after what can be repaired. Raises sqlite3.DatabaseError
        or OSError; then nothing of it is counted."""
        before = self.account.copy()
        try:
            return self._transaction(puts)
        except (sqlite3.DatabaseError, OSError) as error:
            self._roll_back(before)
            self._repair(error)
        before = self.account.copy()
        try:
            return self._transaction(puts)
        except (sqlite3.DatabaseError, OSError):
            self._roll_back(before)
            raise

    def _repair(self, error: Exception) -> None:
        """Rescue what is damaged, use the reserve on a full disk, else open the file anew: after
        an error a connection's view of the disk is worth nothing (an fsync that failed once may
        succeed the next time without having written)."""
        if isinstance(error, sqlite3.Error) and is_damage(error):
            self._rescue(error)
        elif isinstance(error, sqlite3.Error) and is_full(error):
            log.warning("spool: %s; using the reserve", error)
            self._use_reserve()
        else:
            log.warning("spool: %s; opening it again", error)
            self._reopen()

    def _reason(self, error: Exception) -> str:
        if not (isinstance(error, sqlite3.Error) and is_full(error)):
            return "disk_error"
        try:
            at_quota = self._pages_in_file() > self._max_pages - _FIXED_PAGES
        except sqlite3.Error:
            return "disk_error"
        return "quota_refused" if at_quota else "disk_full"

    def peek(self, max_messages: int, max_bytes: int) -> list[Message]:
        """The oldest messages that are not acknowledged, in order; protects them."""
        try:
            chosen = self._oldest(max_messages, max_bytes)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self._rescue(error)
            return self.peek(max_messages, max_bytes)
        self.protected = chosen[-1].id if chosen else self._acked
        return chosen

    def _oldest(self, max_messages: int, max_bytes: int) -> list[Message]:
        """No more is read than is taken: many large messages may wait. Raises sqlite3.Error."""
        chosen: list[Message] = []
        rows = self._connection().execute(
            "SELECT id, topic, payload FROM message WHERE id > ? ORDER BY id LIMIT ?",
            (self._acked, max_messages),
        )
        with contextlib.closing(rows):
            for number, topic, payload in rows:
                max_bytes -= len(payload)
                if chosen and max_bytes < 0:
                    break
                chosen.append(Message(self.epoch, number, topic, bytes(payload)))
        return chosen

    def drop_first(self, message_id: int, reason: str) -> None:
        """The far side will never take this one: forget it, and count it."""
        self.account.sent -= 1  # ``commit`` counts every deleted row as sent
        self.account.dropped[reason] += 1
        self.commit([], ack=message_id)

    def renew_epoch(self) -> None:
        """The far side has seen these numbers with other content: this file is older than that.
        What is in it is numbered under a new epoch."""
        self.epoch = new_epoch(self._connection())

    def close(self) -> None:
        self._db.close()

    def _connection(self) -> Watched:
        if self._lost:
            self._reopen()
        return self._db

    def _transaction(self, puts: Sequence[tuple[str, bytes]]) -> list[str | None]:
        require_own(self._connection())
        self._db.execute("BEGIN IMMEDIATE")
        self._page_limit = self._growth_limit()
        self._delete_acknowledged()
        reasons = [self._insert(topic, payload) for topic, payload in puts]
        self._db.execute(
            "INSERT OR REPLACE INTO meta VALUES ('account', ?)", (self.account.to_json(),)
        )
        self._db.execute("COMMIT")
        self._db.settle()
        return reasons

    def _insert(self, topic: str, payload: bytes) -> str | None:
        size = len(topic.encode()) + len(payload)
        if reason := self._make_room(size):
            self.account.refused[reason] += 1
            return reason
        self.account.put += 1
        self._db.execute(
            "INSERT INTO message(size, topic, payload) VALUES (?,?,?)", (size, topic, payload)
        )
        self.account.rows += 1
        self.account.bytes += size
        return None

    def _make_room(self, size: int) -> str | None:
        needed = -(-(size + _ROW_BYTES) // PAGE_BYTES) + 1
        if needed > (self._max_pages - _FIXED_PAGES) // 2:
            return "too_large"
        while (used := self._used_pages() + needed) > self._page_limit:
            if used <= self._max_pages:
                return "disk_full"
            if self._policy == "refuse":
                return "quota_refused"
            if not self._drop_oldest():
                return "quota_in_flight"
        return None

    def _drop_oldest(self) -> bool:
        oldest = self._db.execute(
            "SELECT id, size FROM message WHERE id > ? ORDER BY id LIMIT ?",
            (max(self.protected, self._acked), _DROP_STEP),
        ).fetchall()
        for dropped, (number, size) in enumerate(oldest, start=1):
            before = self._used_pages()
            self._db.execute("DELETE FROM message WHERE id = ?", (number,))
            self.account.rows -= 1
            self.account.bytes -= size
            self.account.dropped["quota_oldest"] += 1
            if self._used_pages() < before or dropped == len(oldest):
                break
        return bool(oldest)

    def _delete_acknowledged(self) -> None:
        rows, size = self._db.execute(
            "SELECT count(*), total(size) FROM message WHERE id <= ?", (self._acked,)
        ).fetchone()
        if rows:
            self._db.execute("DELETE FROM message WHERE id <= ?", (self._acked,))
            self.account.rows -= rows
            self.account.bytes -= int(size)
            self.account.sent += rows

    def _used_pages(self) -> int:
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        return self._pages_in_file() - int(free)

    def _pages_in_file(self) -> int:
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        return int(pages)

    def _growth_limit(self) -> int:
        """The quota, or less while the disk has no room to spare."""
        if self._room is None:
            return self._max_pages
        spare = self._room.spare_bytes() // 2 // PAGE_BYTES  # the log holds a page as well
        return min(self._max_pages, self._pages_in_file() + spare)

    def _use_reserve(self) -> None:
        """Empty the log into the database file with the space that was kept for it."""
        if self._room is not None:
            self._room.make(self._db)
            self._room.hold()

    def _roll_back(self, before: Account) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:  # SQLite may have done so itself
                self._db.execute("ROLLBACK")
        self.account = before.copy()  # the next attempt counts in it, and may fail as well

    def _rescue(self, error: sqlite3.Error) -> None:
        assert self._path is not None  # noqa: S101  (memory does not rot)
        self._connection().close()
        self._db, salvage = rescue(self._path, self._max_pages, error)
        self._number_above(max(self._acked, self.protected))
        self._opened(salvage, self.account)

    def _number_above(self, number: int) -> None:
        """What was copied over the file may have given fewer: an acknowledgement of old numbers
        must not count for new ones."""
        before = self._db.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='message'"
        ).fetchone()[0]
        if number > before:
            self._db.execute("DELETE FROM sqlite_sequence WHERE name='message'")
            self._db.execute("INSERT INTO sqlite_sequence VALUES('message', ?)", (number,))

    def _reopen(self) -> None:
        """A commit that failed may be there all the same: then its messages come twice, with two
        numbers. Whoever was refused sends them again in any case."""
        if self._path is None:
            return
        self._lost = True
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        self._db, salvage = open_database(self._path, self._max_pages)
        self._opened(salvage, self.account)
        self._lost = False
        if salvage is None:
            self._recount()

    def _recount(self) -> None:
        rows, size = self._db.execute("SELECT count(*), total(size) FROM message").fetchone()
        self.account.put += rows - self.account.rows
        self.account.rows, self.account.bytes = rows, int(size)

    def _opened(self, salvage: Salvage | None, account: Account | None = None) -> None:
        (self.epoch,) = self._db.execute("SELECT value FROM meta WHERE key='epoch'").fetchone()
        stored = self._db.execute("SELECT value FROM meta WHERE key='account'").fetchone()
        self.account = account or (Account.from_json(stored[0]) if stored else Account())
        if salvage is not None:
            self.salvage = salvage
            rows, size = self._db.execute("SELECT count(*), total(size) FROM message").fetchone()
            if self.account.rows > rows:
                self.account.dropped["damaged"] += self.account.rows - rows
            self.account.rows, self.account.bytes = rows, int(size)
            if salvage.gap:
                self.account.gaps.append(salvage.gap)
            log.error(
                "spool: rescued %d messages from %s; ids possibly lost: %s",
                salvage.rescued, salvage.kept.name, salvage.gap or "none",
            )  # fmt: skip
