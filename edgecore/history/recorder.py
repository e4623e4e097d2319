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

from contract.durable.database import is_damage, is_full
from contract.topics import Topics
from edgecore.history.observer import ResultsObserver
from edgecore.history.rows import Row, rows_of
from edgecore.history.sampler import Sampler
from edgecore.history.settings import Settings
from edgecore.history.store import Batch, Event
from edgecore.history.writer import EVERY_S, MOST_MESSAGES, Writer

MAX_WAITING = 5_000
REOPEN_S = 5.0

log = logging.getLogger(__name__)


class Recorder:
    """``start``, ``show`` for every group that runs, ``close``; the hub gets ``observer``."""

    def __init__(
        self, path: Path, *, keep: bool = True, wall: Callable[[], float] = time.time
    ) -> None:
        """``keep`` False: nothing is written; ``on_rows`` is told all the same."""
        self.path = path
        self.keep = keep
        self.observer = ResultsObserver()
        self.settings = Settings()
        self.sampler = Sampler(wall=wall)
        self.on_failed: Callable[[int, Row], None] | None = None
        """Called in the writer's thread for every image that failed, with its number."""
        self.on_rows: Callable[[list[Row]], None] | None = None
        """Called in the writer's thread with everything that was inspected."""
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
        if self.keep:
            self.sampler.start()

    def show(self, site: str, settings: Settings, images_dir: str = "") -> None:
        """Another group runs; ``site`` is empty for one that is not Fanfold's."""
        self.settings = settings
        self.sampler.show(site if self.keep else "", images_dir, settings.samples)
        topics = Topics(site) if site else None
        self.observer.prefixes = (topics.results_prefix, topics.late_prefix) if topics else ()

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
        self.sampler.close()

    def status(self) -> Mapping[str, Any]:
        """``history`` of ``/api/status`` (docs/spec/core.md)."""
        dropped = Counter(self._dropped)
        if self.observer.dropped_rows:
            dropped["writer behind"] += self.observer.dropped_rows
        return {
            "keeps": self.keep,
            "written": self._written,
            "dropped": sum(dropped.values()),
            "dropped_by_reason": dict(dropped),
            "unreadable": self._unreadable,
            "problem": self._problem or self.settings.problem or self.settings.zone_problem or None,
            "quota_bytes": self.settings.max_bytes,
            "keep_days": self.settings.keep_days,
            "samples": self.sampler.status(),
            **self._facts,
        }

    def _run(self) -> None:
        while not self.keep and not self._stop.wait(EVERY_S):
            self.collect()
        while not self._stop.is_set():
            try:
                self._write()
            except (OSError, sqlite3.Error) as error:
                self._failed(error)
                self._discard("cannot be opened")
                self._stop.wait(REOPEN_S)
            except Exception as error:
                log.exception("history: the writer ended; it starts again")
                self._failed(error)
                self._stop.wait(REOPEN_S)

    def _write(self) -> None:
        """While the file can be written. Raises OSError, sqlite3.Error."""
        writer = Writer(self, self._wall)
        self._problem = ""
        try:
            writer.run(self._stop)
        except sqlite3.Error as error:
            self._failed(error)
            if is_damage(error):
                writer.rescue(error)
            self._stop.wait(EVERY_S)
        finally:
            writer.close()

    def _failed(self, error: Exception) -> None:
        said = f"{self.path}: {error}"
        if said != self._problem:
            log.warning("history: %s; images go on being inspected", said)
        self._problem = said

    def _discard(self, reason: str) -> None:
        self._dropped[reason] += len(self.collect().rows)

    def first_time(self) -> bool:
        """Whether the file is opened for the first time by this process."""
        first, self._opened = not self._opened, True
        return first

    def collect(self) -> Batch:
        """What waits, up to a transaction's worth."""
        batch = Batch()
        for message in self.observer.take(MOST_MESSAGES):
            try:
                batch.rows += rows_of(message.payload, message.t, self.settings.defects)
            except Exception:  # anybody may have sent it
                self._unreadable += 1
        if self.on_rows is not None and batch.rows:
            self.on_rows(batch.rows)
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
        if batch.events:
            self._dropped["events"] += len(batch.events)
        self._failed(error)
