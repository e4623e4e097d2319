"""Writes the history in a thread of its own. The path of the images never waits for it.

What cannot be written (a full disk, a writer too far behind) is left out, counted by reason, and
said in ``status``; the images themselves are not concerned.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from contract.durable.database import is_damage, is_full, rescue
from contract.topics import Topics
from edgecore.history.retention import Limits, Retention, age_after
from edgecore.history.rows import Row, rows_of
from edgecore.history.schema import format_of, open_for_writing, tune
from edgecore.history.settings import Settings
from edgecore.history.store import Batch, Event, Store
from edgecore.history.tap import Tap

EVERY_S = 0.5
MOST_MESSAGES = 2_000
RETENTION_EVERY_S = 30.0
SWEEP_EVERY_S = 86_400.0
MAX_WAITING = 5_000
CLOCK_STEP_S = 60.0
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)

log = logging.getLogger(__name__)


class Recorder:
    """``start``, ``show`` for every group that runs, ``close``; ``tap`` is given to the hub."""

    def __init__(self, path: Path, *, wall: Callable[[], float] = time.time) -> None:
        self.path = path
        self.tap = Tap()
        self.settings = Settings()
        self.on_failed: Callable[[int, Row], None] | None = None
        """Called in the writer's thread for every image that failed, with its number."""
        self._wall = wall
        self._others: queue.Queue[Any] = queue.Queue(MAX_WAITING)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._written = 0
        self._dropped: Counter[str] = Counter()
        self._unreadable = 0
        self._opened = False
        self._problem = ""
        self._facts: dict[str, Any] = {}

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def show(self, site: str, settings: Settings) -> None:
        """Another group runs; ``site`` is empty for one that is not Fanfold's."""
        self.settings = settings
        topics = Topics(site) if site else None
        self.tap.prefixes = (topics.results_prefix, topics.late_prefix) if topics else ()

    def event(self, kind: str, subject: str, text: str, who: str = "") -> None:
        """One line of the timeline, from any thread."""
        self._put(Event(self._wall(), kind, subject[:200], text[:500], who[:100]))

    def point(self, every_s: int, point: list[float]) -> None:
        """One point of the charts."""
        self._put((every_s, point))

    def picture(self, image: int, media_type: str, content: bytes) -> None:
        """A small picture of one image."""
        self._put((image, media_type, content))

    def _put(self, item: Any) -> None:
        try:
            self._others.put_nowait(item)
        except queue.Full:
            self._dropped["events behind"] += 1

    def close(self) -> None:
        """What has come by now is written first."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)

    def status(self) -> Mapping[str, Any]:
        """``history`` of ``/api/status`` (docs/spec/core.md)."""
        dropped = Counter(self._dropped)
        if self.tap.dropped_rows:
            dropped["writer behind"] += self.tap.dropped_rows
        return {
            "written": self._written,
            "dropped": sum(dropped.values()),
            "dropped_by_reason": dict(dropped),
            "unreadable": self._unreadable,
            "problem": self._problem or self.settings.problem or self.settings.zone_problem or None,
            "quota_bytes": self.settings.max_bytes,
            "keep_days": self.settings.keep_days,
            **self._facts,
        }

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                writer = _Writer(self, self._wall)
            except (OSError, sqlite3.Error) as error:
                self._failed(error)
                self._discard("cannot be opened")
                self._stop.wait(5.0)
                continue
            self._problem = ""
            try:
                writer.run(self._stop)
            except sqlite3.Error as error:
                self._failed(error)
                if is_damage(error):
                    writer.rescue(error)
                self._stop.wait(1.0)
            except Exception:
                log.exception("history: the writer ended; it starts again")
                self._stop.wait(1.0)
            finally:
                writer.close()

    def _failed(self, error: Exception) -> None:
        said = f"{self.path}: {error}"
        if said != self._problem:
            log.warning("history: %s; images go on being inspected", said)
        self._problem = said

    def _discard(self, reason: str) -> None:
        for message in self.tap.take(MOST_MESSAGES):
            self._dropped[reason] += message.payload.count(b'"status"')

    def first_time(self) -> bool:
        """Whether the file is opened for the first time by this process."""
        first, self._opened = not self._opened, True
        return first

    def collect(self) -> Batch:
        """What waits, up to a transaction's worth."""
        batch = Batch()
        for message in self.tap.take(MOST_MESSAGES):
            try:
                batch.rows += rows_of(message.payload, message.t, self.settings.defects)
            except _UNREADABLE:
                self._unreadable += 1
        while len(batch.events) + len(batch.points) + len(batch.pictures) < MAX_WAITING:
            try:
                item = self._others.get_nowait()
            except queue.Empty:
                break
            if isinstance(item, Event):
                batch.events.append(item)
            elif len(item) == 2:
                batch.points.append(item)
            else:
                batch.pictures.append(item)
        return batch

    def wrote(self, added: list[tuple[int, Row]], facts: dict[str, Any]) -> None:
        self._written += len(added)
        self._facts, self._problem = facts, ""
        if self.on_failed is not None:
            for image, row in added:
                if row.status == "failed":
                    self.on_failed(image, row)

    def lost(self, batch: Batch, error: Exception) -> None:
        full = isinstance(error, sqlite3.Error) and is_full(error)
        self._dropped["disk full" if full else "error"] += len(batch.rows)
        self._failed(error)


class _Writer:
    """One connection's life."""

    def __init__(self, recorder: Recorder, wall: Callable[[], float]) -> None:
        self._recorder, self._wall = recorder, wall
        opened = open_for_writing(recorder.path, recorder.settings.max_bytes)
        self._connection = opened.connection
        self._quota = recorder.settings.max_bytes
        self._store = Store(self._connection)
        self._retention = Retention(self._connection)
        self._started, self._started_wall = time.monotonic(), wall()
        self._step_s = 0.0
        self._swept = self._looked = float("-inf")
        ended = self._store.meta("wall")
        if recorder.first_time() and self._store.meta("running") == "1":
            recorder.event("core", "core", "the one before ended without notice: "
                "a power cut, a kill or a crash")  # fmt: skip
        self._store.set_meta(running=1)
        self._age_at_start = age_after(
            float(self._store.meta("age_s") or 0.0), None if ended is None else float(ended), wall()
        )
        if opened.salvage is not None:
            recorder.event("history", "history", f"was damaged: {opened.salvage.for_stats()}")

    @property
    def _age_s(self) -> float:
        return self._age_at_start + time.monotonic() - self._started

    def run(self, stop: threading.Event) -> None:
        """Raises sqlite3.Error for damage; a full disk is waited out."""
        while True:
            stopping = stop.wait(EVERY_S)
            while batch := self._recorder.collect():
                self._write(batch)
                if len(batch.rows) < MOST_MESSAGES:
                    break
            self._look_at_clock()
            self._retain()
            if stopping:
                self._note_time()
                self._store.set_meta(running=0)
                return

    def _write(self, batch: Batch) -> None:
        try:
            added = self._store.add(batch)
        except sqlite3.Error as error:
            self._recorder.lost(batch, error)
            if is_damage(error):
                raise
            if is_full(error):
                self._retention.shrink()
            return
        except Exception as error:  # a row that nobody foresaw costs its batch, not the history
            log.exception("history: rows were left out")
            self._recorder.lost(batch, error)
            return
        self._recorder.wrote(added, self._facts())

    def _facts(self) -> dict[str, Any]:
        return {"repeated": self._store.repeated, "forgotten": self._retention.forgotten,
            "bytes": self._retention.used_bytes()}  # fmt: skip

    def _look_at_clock(self) -> None:
        """A wall clock that was set is an event, and moves nothing else."""
        step_s = self._wall() - self._started_wall - (time.monotonic() - self._started)
        moved_s, self._step_s = step_s - self._step_s, step_s
        if abs(moved_s) > CLOCK_STEP_S:
            self._recorder.event("clock", "clock", f"was set {moved_s:+.0f} s")

    def _retain(self) -> None:
        now = time.monotonic()
        if now - self._looked < RETENTION_EVERY_S:
            return
        settings = self._recorder.settings
        limits = Limits(settings.keep_days * 86_400, settings.max_bytes, settings.pictures_bytes)
        if settings.max_bytes != self._quota:
            self._quota = settings.max_bytes
            pages = max(self._quota // 4096, 64)
            self._connection.execute(f"PRAGMA max_page_count={pages}")
        self._retention.mark(self._age_s)
        self._note_time()
        if not self._retention.step(self._age_s, limits):
            self._looked = now
        if now - self._swept > SWEEP_EVERY_S and self._swept > float("-inf"):
            self._retention.sweep()
        if self._swept == float("-inf") or now - self._swept > SWEEP_EVERY_S:
            self._swept = now

    def _note_time(self) -> None:
        self._store.set_meta(age_s=self._age_s, wall=self._wall())

    def rescue(self, error: sqlite3.Error) -> None:
        """Begin a new file with what still reads of the damaged one."""
        self.close()
        settings = self._recorder.settings
        opened = rescue(str(self._recorder.path), format_of(settings.max_bytes), error)
        tune(opened.connection)
        opened.connection.close()
        assert opened.salvage is not None  # noqa: S101 - rescue always has one
        self._recorder.event("history", "history", f"was damaged: {opened.salvage.for_stats()}")

    def close(self) -> None:
        self._connection.close()
