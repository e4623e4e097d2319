"""The aggregator's memory on disk: where each stream stands, and a log of what was told.

The **log** is the order in which records leave. Each sink (local topics, cloud, S3) has
a cursor into it and goes on after it; a row that every sink has passed is deleted. What a
step changes is staged and written in one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Mapping

from contract.durable.database import Format, is_out_of_room, open_database, transaction
from contract.durable.room import Room
from contract.messages import dumps
from lambdas.aggregator.repair import repair
from lambdas.aggregator.tables import FORMAT, SCHEMA, STEPS, Row, Window, saved_window
from lambdas.aggregator.trimming import delete_upto, oldest
from lambdas.common.fault_points import fault
from lambdas.common.runs import Known, Runs

RETIRED_EPOCHS = 100
QUOTA_MARGIN_BYTES = 8 << 20
ATTEMPTS = 2

RESULTS, LATE, JOB = "results", "late", "job"


class StoreFullError(Exception):
    """The disk has no room; what was staged was not written and stays staged."""


class Store:
    def __init__(self, path: str, log_bytes: int, sinks: tuple[str, ...]) -> None:
        # The log's own quota is kept below the file's, so that streams always have room.
        self._quota_bytes = log_bytes + log_bytes // 4 + QUOTA_MARGIN_BYTES
        opened = open_database(path, Format(SCHEMA, FORMAT, self._quota_bytes, steps=STEPS))
        self.salvage = opened.salvage
        self._db = opened.connection
        #: Rows of the log, at least, that a damaged file no longer had.
        self.log_rows_lost = repair(self._db) if self.salvage else 0
        self._log_quota = log_bytes
        self._room = Room(path)
        self.log_bytes: int = self._one("SELECT coalesce(sum(bytes), 0) FROM log")
        self.log_rows: int = self._one("SELECT count(*) FROM log")
        saved = dict(self._db.execute("SELECT sink, n FROM cursors"))
        # A sink that was switched on begins with what is still there.
        self.cursors = {sink: saved.get(sink, 0) for sink in sinks}
        self.outbox_dropped = 0
        self.appended_bytes = 0
        self.windows = {sink: saved_window(self._meta(f"{sink}_window")) for sink in sinks}
        self.epoch: str | None = self._meta("epoch")
        self._retired: list[str] = json.loads(self._meta("retired") or "[]")
        self.runs = Runs(self._saved_runs())
        self._clear()
        self._moved = False

    def _saved_runs(self) -> Known:
        """Before format 2 numbers went by the first epoch that was known."""
        earliest = self._earliest
        saved: Known = json.loads(self._meta("runs") or "{}")
        return {**{stream: [(1, earliest)] for stream in self.streams()}, **saved}

    @property
    def _earliest(self) -> str:
        return (self._retired or [self.epoch or ""])[0]

    def _clear(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._next: dict[str, int] = {}
        self._held: list[tuple[str, int, str]] = []
        self._unheld: list[tuple[str, int]] = []
        self._gaps: list[tuple[str, int]] = []
        self._ungaps: list[tuple[str, int]] = []
        self._jobs: list[tuple[str, Any]] = []
        self._runs_told = False

    # Reading at start

    def streams(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT stream, next FROM streams"))

    def gaps(self) -> list[tuple[str, int]]:
        return list(self._db.execute("SELECT stream, seq FROM gaps"))

    def held(self) -> list[tuple[str, int, str]]:
        return list(self._db.execute("SELECT stream, seq, body FROM held ORDER BY stream, seq"))

    def jobs(self) -> dict[str, Any]:
        return {job: json.loads(body) for job, body in self._db.execute("SELECT * FROM jobs")}

    # Epochs

    def adopt(self, epoch: str) -> bool:
        """Numbers are of `epoch` from now on; False: it was replaced before."""
        if epoch == self.epoch:
            return True
        if epoch in self._retired:
            return False
        retired = [*self._retired, self.epoch][-RETIRED_EPOCHS:] if self.epoch else self._retired
        rows = [("epoch", epoch), ("retired", dumps(retired))]
        try:
            with transaction(self._db):
                self._db.executemany("INSERT OR REPLACE INTO meta VALUES(?,?)", rows)
        except sqlite3.Error as error:
            if not is_out_of_room(error):
                raise
            self._room.make(self._db)
            raise StoreFullError(f"the disk has no room for a new epoch: {error}") from None
        self._retired, self.epoch = retired, epoch
        return True

    def choose_window(self, sink: str, n: int, note: str = "") -> bool:
        """Rows up to `n` leave next through `sink`; a retry after a crash sends the same.

        The same rows: so where they begin becomes durable with where they end. `note` is kept
        with it. False: the disk is full, nothing was chosen.
        """
        chosen = Window(n, note)
        put = "INSERT OR REPLACE INTO"
        try:
            with transaction(self._db):
                self._db.execute(f"{put} meta VALUES(?,?)", (f"{sink}_window", dumps(chosen)))
                self._db.execute(f"{put} cursors VALUES(?,?)", (sink, self.cursors[sink]))
        except sqlite3.Error as error:
            if not is_out_of_room(error):
                raise
            self._room.make(self._db)
            return False
        self.windows[sink] = chosen
        return True

    # Staging

    def log(
        self, kind: str, stream: str, span: tuple[int, int, int], body: str, run: str = ""
    ) -> None:
        """Append records of one run, by default that of its first number; `span` is first, last
        and how many."""
        run = run or (self.runs.of(stream, span[0]) if stream else self.runs.current)
        self._rows.append((kind, stream, *span, len(body), body, run))

    def begin_run(self, name: str, firsts: Mapping[str, int], told: Known) -> None:
        """The splitter's word on who gave which numbers, durable with the next commit."""
        self.runs.learn(told)
        if not any(runs and runs[-1][1] == name for runs in told.values()):
            self.runs.begin(name, firsts)
        self.runs.current = name
        self._runs_told = True

    def stream_at(self, stream: str, next_seq: int) -> None:
        self._next[stream] = next_seq

    def hold(self, stream: str, seq: int, body: str) -> None:
        self._held.append((stream, seq, body))

    def unhold(self, stream: str, seq: int) -> None:
        self._unheld.append((stream, seq))

    def gap(self, stream: str, seq: int) -> None:
        self._gaps.append((stream, seq))

    def ungap(self, stream: str, seq: int) -> None:
        self._ungaps.append((stream, seq))

    def job(self, changed: list[tuple[str, Any]]) -> None:
        self._jobs += changed

    def move(self, sink: str, n: int) -> None:
        """`sink` has everything up to `n`; remembered with the next commit."""
        if n > self.cursors[sink]:
            self.cursors[sink] = n
            self._moved = True

    def commit(self) -> None:
        """Make everything staged durable. Above its own quota the log gives its oldest rows; a
        full disk costs none, it raises `StoreFullError`.

        Only how far sinks are is not waited for: after a power cut that lets a row leave twice,
        as one before this commit does."""
        changed = (self._rows, self._next, self._held, self._moved, self._jobs, self._runs_told)
        if not any(changed):
            return
        new_bytes = sum(row[5] for row in self._rows) + sum(len(body) for *_, body in self._held)
        while not self._fitted(new_bytes):
            wanted = max(self.log_bytes // 4, 2 * new_bytes, 1)
            if not (self._over_quota(new_bytes) and self._drop_oldest(wanted)):
                rows = f"{new_bytes} bytes of new rows" if new_bytes else "how far the sinks are"
                raise StoreFullError(f"the disk has no room for {rows}")
        self._room.hold()
        added = sum(row[5] for row in self._rows)
        self.log_bytes += added
        self.appended_bytes += added
        self.log_rows += len(self._rows)
        self._clear()
        self._moved = False
        fault("aggregator.after_commit")
        if self.log_bytes > self._log_quota:
            self._drop_oldest(self.log_bytes - self._log_quota)

    def drain(self) -> None:
        """While `commit` finds no room: what every sink has passed goes, and makes some."""
        try:
            with transaction(self._db):
                self._save_cursors()
        except sqlite3.Error as error:
            if not is_out_of_room(error):
                raise
            self._room.make(self._db)
        else:
            self.compact()

    def _fitted(self, new_bytes: int) -> bool:
        """Whether what is staged is written now."""
        for _ in range(ATTEMPTS):
            if self._room.fits(self._db, new_bytes) and self._written():
                return True
            self._room.empty_log(self._db)
        return False

    def _over_quota(self, new_bytes: int) -> bool:
        """Whether it is the file's own limit that is in the way, not the disk."""
        return self._room.used_bytes(self._db) + new_bytes > self._quota_bytes

    def _written(self) -> bool:
        """False: the disk is full, or the quota is."""
        try:
            self._write()
        except sqlite3.Error as error:
            if not is_out_of_room(error):
                raise
            return False
        return True

    def _write(self) -> None:
        staged = self._staged()
        with transaction(self._db, synced=bool(staged) or self._runs_told):
            for sql, rows in staged:
                self._db.executemany(sql, rows)
            if self._moved:
                self._save_cursors()
            if self._runs_told:
                runs = ("runs", dumps(self.runs.known))
                self._db.execute("INSERT OR REPLACE INTO meta VALUES(?,?)", runs)
            fault("aggregator.before_commit")

    def _staged(self) -> list[tuple[str, list[Any]]]:
        """What there is to write, in order; mostly a row or two."""
        log = (
            "INSERT INTO log(kind,stream,first,last,count,bytes,body,epoch) VALUES(?,?,?,?,?,?,?,?)"
        )
        jobs = [(name, dumps(body)) for name, body in self._jobs if body is not None]
        statements: list[tuple[str, list[Any]]] = [
            (log, self._rows),
            ("INSERT OR REPLACE INTO streams VALUES(?,?)", list(self._next.items())),
            ("INSERT OR REPLACE INTO held VALUES(?,?,?)", self._held),
            ("DELETE FROM held WHERE stream=? AND seq=?", self._unheld),
            ("INSERT OR IGNORE INTO gaps VALUES(?,?)", self._gaps),
            ("DELETE FROM gaps WHERE stream=? AND seq=?", self._ungaps),
            ("INSERT OR REPLACE INTO jobs VALUES(?,?)", jobs),
            ("DELETE FROM jobs WHERE job=?", [(n,) for n, body in self._jobs if body is None]),
        ]
        return [(sql, rows) for sql, rows in statements if rows]

    def _save_cursors(self) -> None:
        self._db.executemany("INSERT OR REPLACE INTO cursors VALUES(?,?)", self.cursors.items())

    # The log, for sinks

    def after(self, n: int, limit: int) -> list[Row]:
        found = self._db.execute(
            "SELECT n, kind, stream, first, last, count, bytes, body, coalesce(epoch, ?)"
            " FROM log WHERE n > ? ORDER BY n LIMIT ?",
            (self._earliest, n, limit),
        )
        return [Row(*row) for row in found]

    def compact(self) -> None:
        """Delete what every sink has passed; only after a commit of the cursors."""
        done = min(self.cursors.values()) if self.cursors else 1 << 62
        self._delete_upto(done)

    def _delete_upto(self, n: int) -> int:
        """How many records they held."""
        gone = delete_upto(self._db, self._room, n)
        self.log_rows -= gone.rows
        self.log_bytes -= gone.bytes
        return gone.records

    def _drop_oldest(self, size: int) -> int:
        """Free about `size` bytes of rows that some sink has not passed; counted."""
        dropped = self._delete_upto(oldest(self._db, size))
        self.outbox_dropped += dropped
        return dropped

    def close(self) -> None:
        self.commit()
        self._db.close()

    def _one(self, sql: str) -> Any:
        return self._db.execute(sql).fetchone()[0]

    def _meta(self, key: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return row[0] if row else None
