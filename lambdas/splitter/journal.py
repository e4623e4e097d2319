"""The splitter's memory on disk: what was accepted and has no committed record yet.

Changes are staged and written together by `commit`, in one transaction: one `fsync` for
however many events came at once. The journal hands out sequence numbers; a number is
taken only by a commit that succeeded.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence

from contract.durable.database import Format, is_out_of_room, open_database, transaction
from contract.durable.room import Room
from contract.messages import MAX_MESSAGE_BYTES, dumps
from lambdas.common.fault_points import fault
from lambdas.common.runs import Runs, new_run
from lambdas.splitter.notes import Notes
from lambdas.splitter.repair import repair
from lambdas.splitter.tables import FORMAT, SCHEMA, STEPS, JournalFullError

# The de-duplication window of the spec, for the whole site. Its time is the splitter's own,
# which stands still with the device: a wall clock that jumps forgets nothing.
REMEMBERED_IDS = 100_000
REMEMBERED_S = 24 * 3600.0
_PRUNE_EVERY = 1_000

_FORGET = "DELETE FROM images WHERE stream=? AND seq BETWEEN ? AND ?"
_TERMINATE = "UPDATE images SET verdict=? WHERE stream=? AND seq=?"
_REMEMBER = "INSERT OR REPLACE INTO events VALUES(?,?,?,?,?,?,?)"
_ADVANCE = "INSERT OR REPLACE INTO streams VALUES(?,?)"


class Known(NamedTuple):
    """An event that was accepted before. `mark`: of its content; "": not known."""

    seq: int
    images: int
    mark: str = ""


class Journal:
    """Owned by one thread. `epoch` names this journal; a new file is a new epoch."""

    def __init__(self, path: str, quota_bytes: int) -> None:
        self._quota_bytes = quota_bytes
        opened = open_database(path, Format(SCHEMA, FORMAT, quota_bytes, steps=STEPS))
        self.salvage = opened.salvage
        self._db = opened.connection
        self._room = Room(path)
        self.notes = Notes(self._db)
        if self.salvage:
            repair(self._db, self.salvage)
        self.epoch = str(self.notes.get("epoch", os.urandom(4).hex()))
        #: The name of this start.
        self.run = new_run(time.time())
        self.runs = Runs(self.notes.runs)
        self._next = dict(self._db.execute("SELECT stream, next FROM streams"))
        last, at = self._db.execute("SELECT max(n), max(at) FROM events").fetchone()
        self._event = (last or 0) + 1
        self._age_s = float(at or 0.0)
        self._now: float | None = None
        self._prune_at = self._event
        self._staged_events: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._staged_images: list[tuple[str, int, str, str | None]] = []
        self._staged_next: dict[str, int] = {}
        self._seen: list[tuple[str, str, int]] = []
        self._forgotten: list[tuple[str, int, int]] = []
        self._terminals: list[tuple[str, str, int]] = []

    @property
    def synced(self) -> bool:
        """Whether the aggregator has told where this epoch's numbers start."""
        return bool(self.notes.get("synced", 0))

    def start_after(self, top: dict[str, int]) -> None:
        """Begin each stream after the highest number that the aggregator has seen."""
        after = {s: max(n + 1, self._next.get(s, 1)) for s, n in top.items()}
        with transaction(self._db):
            self._db.executemany(_ADVANCE, after.items())
            self._db.execute("INSERT OR REPLACE INTO meta VALUES('synced', 1)")
        self._next.update(after)

    def begin_run(self, streams: Iterable[str], low: Mapping[str, int]) -> None:
        """Numbers given from now on are of this run; `low`: up to there all have a record."""
        if self.runs.current:
            return
        for stream, number in low.items():
            self.runs.forget(stream, number)
        self.runs.begin(self.run, {name: self.committed_next(name) for name in streams})
        self.notes.remember_runs(self.runs.known)

    def renew(self, top: dict[str, int]) -> None:
        """A new epoch, which begins above `top` and above every number of this journal."""
        epoch = os.urandom(4).hex()
        after = {s: max(n + 1, self._next.get(s, 1)) for s, n in top.items()}
        with transaction(self._db):
            self._db.executemany(_ADVANCE, after.items())
            self._db.execute("INSERT OR REPLACE INTO meta VALUES('epoch', ?)", (epoch,))
        self._next.update(after)
        self.epoch = epoch

    def next_seq(self, stream: str) -> int:
        return self._staged_next.get(stream) or self._next.get(stream, 1)

    def committed_next(self, stream: str) -> int:
        """As `next_seq`, without what is staged."""
        return int(self._next.get(stream, 1))

    def find(self, stream: str, event_id: str) -> Known | None:
        """The event, if it was accepted within the window."""
        staged = self._staged_events.get((stream, event_id))
        if staged:
            return Known(*staged[3:6])
        row = self._db.execute(
            "SELECT seq, count, coalesce(mark, '') FROM events"
            " WHERE stream=? AND id=? AND coalesce(at, 0) >= ?",
            (stream, event_id, self._age_s - REMEMBERED_S),
        ).fetchone()
        return Known(*row) if row else None

    def tick(self, now: float) -> None:
        """`now`: monotonic seconds of this process."""
        self._age_s += 0.0 if self._now is None else max(0.0, now - self._now)
        self._now = now

    def holds(self, stream: str, seq: int) -> bool:
        """Whether `seq` was handed out by a commit."""
        return bool(seq < self._next.get(stream, 1))

    def find_file(self, path: str, mark: str) -> int | None:
        """The number under which a drop folder's file was taken, if it has not changed since."""
        for name, staged_mark, seq in self._seen:
            if name == path and staged_mark == mark:
                return seq
        # A mark of version 0.1 is its first two parts.
        row = self._db.execute(
            "SELECT seq FROM seen WHERE path=? AND mark IN (?, ?)",
            (path, mark, mark.rpartition(":")[0]),
        ).fetchone()
        return row[0] if row else None

    def seen_files(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT path, mark FROM seen"))

    def stage_file(self, path: str, mark: str, seq: int) -> None:
        self._seen.append((path, mark, seq))

    def forget_files(self, gone: list[str]) -> None:
        with transaction(self._db):
            self._db.executemany("DELETE FROM seen WHERE path=?", [(path,) for path in gone])

    def stage(  # noqa: PLR0913, PLR0917 - an event's row, and its images'
        self,
        stream: str,
        event_id: str,
        items: list[dict[str, Any]],
        terminal: str | None,
        mark: str = "",
        more: Sequence[str] = (),
        unfit: Mapping[int, str] = {},
    ) -> int:
        """Number `items` (their `seq` is set) and stage them; returns the first number.

        `mark` identifies their content. `more`: for each the JSON of further members, "": none.
        `unfit`: of some, by their place, a terminal status of their own.
        """
        first = self.next_seq(stream)
        for index, item in enumerate(items):
            item["seq"] = seq = first + index
            text = dumps(item)
            if more and more[index]:
                text = f"{text[:-1]},{more[index]}}}"
            self._staged_images.append((stream, seq, text, unfit.get(index, terminal)))
        row = (self._event, stream, event_id, first, len(items), mark, self._age_s)
        self._staged_events[stream, event_id] = row
        self._event += 1
        self._staged_next[stream] = first + len(items)
        return first

    def staged_texts(self, count: int) -> list[str]:
        """Of the items that were staged last: what their rows will say."""
        return [text for _, _, text, _ in self._staged_images[-count:]]

    def add_terminal(self, items: list[dict[str, Any]], terminal: str) -> None:
        """Numbers given out before that have no entry any more, at once durable."""
        rows = [(item["stream"], item["seq"], dumps(item), terminal) for item in items]
        try:
            with transaction(self._db):
                self._db.executemany("INSERT OR IGNORE INTO images VALUES(?,?,?,?)", rows)
        except sqlite3.Error as error:
            if not is_out_of_room(error):
                raise
            raise JournalFullError(str(error)) from None

    def forget(self, stream: str, first: int, last: int) -> None:
        """These numbers have a committed record; written with the next commit.

        Losing this costs one more dispatch, which the aggregator answers as a duplicate.
        """
        self._forgotten.append((stream, first, last))

    def terminate(self, stream: str, seq: int, terminal: str) -> None:
        """Remember a terminal record of the splitter's own until it is acknowledged."""
        self._terminals.append((terminal, stream, seq))

    @property
    def dirty(self) -> bool:
        return bool(self._staged_events or self._forgotten or self._terminals or self._seen)

    def commit(self) -> None:
        """Make everything staged durable. Raises `JournalFullError`: no event was taken."""
        refusal = self._refusal()
        if refusal:
            lost_events = bool(self._staged_events)
            self._clear_staged()
            self._room.make(self._db)
            self._drain()
            if lost_events:
                raise JournalFullError(refusal)
        self._next.update(self._staged_next)
        self._clear_staged()

    def _refusal(self) -> str:
        """Write what is staged; "", or why there was no room."""
        new_bytes = sum(len(text) for _, _, text, _ in self._staged_images)
        if new_bytes and not self._room.fits(self._db, new_bytes):
            return f"the disk has no room for {new_bytes} bytes of new entries"
        try:
            self._write(with_events=True)
        except sqlite3.Error as error:
            if not is_out_of_room(error):
                raise
            return str(error)
        self._room.hold()
        return ""

    def has_room(self) -> bool:
        """Whether a group of events would be taken: by the quota, and by the disk."""
        used_bytes = self._room.used_bytes(self._db)
        return used_bytes + MAX_MESSAGE_BYTES <= self._quota_bytes and self._room.works()

    def unstage(self) -> None:
        """Take back what was staged: its images did not become durable. Forgets stay."""
        self._clear_staged()

    def _drain(self) -> None:
        # What frees space must not fail together with what fills it.
        try:
            self._write(with_events=False)
        except sqlite3.Error as error:
            if not is_out_of_room(error):
                raise

    def _write(self, with_events: bool) -> None:
        with transaction(self._db):
            if self._forgotten:
                fault("splitter.before_forget")
            self._db.executemany(_FORGET, self._forgotten)
            self._db.executemany(_TERMINATE, self._terminals)
            if with_events:
                self._db.executemany("INSERT INTO images VALUES(?,?,?,?)", self._staged_images)
                self._db.executemany(_REMEMBER, self._staged_events.values())
                self._db.executemany(_ADVANCE, self._staged_next.items())
                self._db.executemany("INSERT OR REPLACE INTO seen VALUES(?,?,?)", self._seen)
                self._prune()
            fault("splitter.before_commit")
        fault("splitter.after_commit")
        self._forgotten.clear()
        self._terminals.clear()

    def _prune(self) -> None:
        if self._event >= self._prune_at:
            oldest = (self._event - REMEMBERED_IDS, self._age_s - REMEMBERED_S)
            self._db.execute("DELETE FROM events WHERE n < ? OR coalesce(at, 0) < ?", oldest)
            self._prune_at = self._event + _PRUNE_EVERY

    def _clear_staged(self) -> None:
        self._staged_events.clear()
        self._staged_images.clear()
        self._staged_next.clear()
        self._seen.clear()

    def unfinished(self) -> Iterator[tuple[str, str | None]]:
        """Every item without a committed record, as (item JSON, terminal status), in order."""
        yield from self._db.execute("SELECT item, verdict FROM images ORDER BY stream, seq")

    def streams(self) -> list[str]:
        return list(self._next)

    def committed(self) -> dict[str, int]:
        """By stream as `committed_next`."""
        return dict(self._next)

    def close(self) -> None:
        self.commit()
        self._db.close()
