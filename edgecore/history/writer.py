"""The writer's thread while its file is open: batches in, the old out, the clock watched."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from contract.durable.database import is_damage, is_full, rescue
from edgecore.history.retention import Limits, Retention, age_after
from edgecore.history.rows import Row
from edgecore.history.sampler import Sampler
from edgecore.history.sampling import held_bytes, keep_due
from edgecore.history.schema import format_of, limit, open_for_writing, tune
from edgecore.history.settings import Settings
from edgecore.history.store import Batch, Store

EVERY_S = 0.5
MOST_MESSAGES = 2_000
RETENTION_EVERY_S = 30.0
SWEEP_EVERY_S = 86_400.0
FIRST_SWEEP_S = 3_600.0
CLOCK_STEP_S = 60.0

log = logging.getLogger(__name__)


class Owner(Protocol):
    """The recorder: what waits to be written, and who hears how it went."""

    path: Path
    settings: Settings
    sampler: Sampler

    def first_time(self) -> bool: ...
    def collect(self) -> Batch: ...
    def wrote(self, added: list[tuple[int, Row]], facts: dict[str, Any]) -> None: ...
    def lost(self, batch: Batch, error: Exception) -> None: ...
    def event(self, kind: str, subject: str, text: str, who: str = "") -> None: ...


class Writer:
    """One connection's life."""

    def __init__(self, recorder: Owner, wall: Callable[[], float]) -> None:
        self._recorder, self._wall = recorder, wall
        opened = open_for_writing(recorder.path, recorder.settings.max_bytes)
        self._connection = opened.connection
        self._quota = recorder.settings.max_bytes
        self._store = Store(self._connection)
        self._retention = Retention(self._connection)
        self._started, self._started_wall = time.monotonic(), wall()
        self._step_s = 0.0
        self._looked = float("-inf")
        self._swept = self._started - SWEEP_EVERY_S + FIRST_SWEEP_S
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
            if keep_due(self._connection, self._recorder.sampler):
                self._recorder.wrote([], self._facts())
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
            "bytes": self._retention.used_bytes(),
            "samples_bytes": held_bytes(self._connection)}  # fmt: skip

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
        limits = Limits(settings.keep_days * 86_400, settings.max_bytes, settings.pictures_bytes,
            settings.samples.max_bytes)  # fmt: skip
        if settings.max_bytes != self._quota:
            self._quota = settings.max_bytes
            limit(self._connection, self._quota)
        self._retention.mark(self._age_s)
        self._note_time()
        if not self._retention.step(self._age_s, limits):
            self._looked = now
        if now - self._swept > SWEEP_EVERY_S:
            self._swept = now
            self._retention.sweep()

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
