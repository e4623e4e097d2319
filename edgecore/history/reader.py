"""Answers from the history, beside its writer and in any process. Every query has a time limit."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgecore.history.query import Query
from edgecore.history.rows import STATUSES
from edgecore.history.schema import DAY_SLOTS, DAYS_SINCE, SCORE_SCALE, SLOT_S, open_for_reading
from edgecore.history.searching import Deadline, find_rows, interrupted
from edgecore.history.settings import Settings
from edgecore.history.shifts import By, counts_by
from edgecore.history.store import id_of

LIMIT_S = 5.0
EXPORT_LIMIT_S = 60.0
PAGE = 1000
_OPCODES = 20_000

Record = dict[str, Any]


class TooSlowError(Exception):
    """The search would read too much; the text is for the operator."""


class NoHistoryError(Exception):
    """There is no history here; the text says where it was looked for."""


@dataclass(frozen=True)
class Page:
    """``next``: pass it as ``before`` for the rows behind these; None: there are no more.
    ``searched_to``: the time was over before the page was full; older ones were not looked at."""

    records: list[Record]
    next: str | None
    searched_to: float | None = None


@dataclass(frozen=True)
class Kept:
    """A sample; ``answer``: the worker's record, with a canary's beside it as ``other``."""

    rule: str
    media_type: str
    answer: Record
    content: bytes


class Reader:
    """Opens the file for each answer: it may be made, moved and made again meanwhile."""

    def __init__(
        self, path: Path, limit_s: float = LIMIT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._limit_s = limit_s
        self._clock = clock

    @contextlib.contextmanager
    def _open(self, deadline: Deadline | None = None) -> Iterator[sqlite3.Connection]:
        try:
            connection = open_for_reading(self._path)
        except sqlite3.OperationalError:
            raise NoHistoryError(f"no history at {self._path}: no core has written one") from None
        limit = deadline or Deadline(self._limit_s, self._clock)
        connection.set_progress_handler(limit.passed, _OPCODES)
        try:
            yield connection
        except sqlite3.OperationalError as error:
            if interrupted(error):
                raise TooSlowError(
                    f"not found within {self._limit_s:g} s: name a camera or a label, or a "
                    "shorter time; a name is fastest by its beginning, without *"
                ) from None
            if "no such table" in str(error) or "unable to open" in str(error):
                raise NoHistoryError(f"no history at {self._path} yet") from None
            raise
        finally:
            connection.close()

    def search(self, query: Query) -> Page:
        """Newest first. Raises TooSlowError, NoHistoryError."""
        deadline = Deadline(self._limit_s, self._clock)
        with self._open(deadline) as connection:
            words = {
                field: _number(connection, getattr(query, field))
                for field in ("camera", "label", "job")
            }
            rows, reached = find_rows(connection, query, words, deadline)
            connection.set_progress_handler(None, 0)  # the words of what was found are few
            texts = _texts(connection, rows)
        records = [_record(row, texts) for row in rows]
        if reached is not None:
            return Page(records, _mark(*reached), reached[0] / 1000)
        more = len(rows) == query.limit
        return Page(records, _mark(rows[-1][1], rows[-1][0]) if more else None)

    def pages(self, query: Query) -> Iterator[list[Record]]:
        """All of it, page by page: nothing is held open between two of them."""
        step = replace(query, limit=PAGE)
        while True:
            page = self.search(step)
            if page.records:
                yield page.records
            if page.next is None:
                return
            t, number = page.next.split(".")
            step = replace(step, before=(int(t), int(number)))

    def counts(
        self, by: By, since: float, until: float, settings: Settings, camera: str = ""
    ) -> list[Record]:
        """Images, failures and defects of each camera by period, oldest first."""
        with self._open() as connection:
            only = [_number(connection, camera)] if camera else []
            of_camera = "AND camera=?" if camera else ""
            rows = connection.execute(
                "SELECT slot, camera, ok, failed, dropped, defects FROM slots "  # noqa: S608
                f"WHERE slot>=? AND slot<? {of_camera}",
                (*_slots(since, until), *only),
            ).fetchall()
            names = _words(connection, {row[1] for row in rows})
        counted = counts_by(by, rows, names, settings.zone, settings.shifts_min)
        return [c.as_json() for c in counted]

    def labels(self, since: float, until: float, camera: str = "") -> list[Record]:
        """How many images of each camera had each label, the most frequent first."""
        with self._open() as connection:
            parts, values = _label_parts(connection, *_slots(since, until))
            of_camera = "WHERE camera=?" if camera else ""
            rows = connection.execute(
                "SELECT c.text, l.text, n.images FROM (SELECT camera, label, "  # noqa: S608
                f"sum(images) AS images FROM ({parts}) {of_camera} GROUP BY camera, label) n "
                "JOIN words c ON c.id=n.camera JOIN words l ON l.id=n.label "
                "ORDER BY n.images DESC LIMIT 1000",
                (*values, *([_number(connection, camera)] if camera else [])),
            ).fetchall()
        return [{"camera": c, "label": label, "images": n} for c, label, n in rows]

    def events(self, limit: int = 200, kind: str = "", before: int | None = None) -> list[Record]:
        """The timeline, newest first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT id,t,kind,subject,text,who FROM events WHERE (?='' OR kind=?) AND id<? "
                "ORDER BY id DESC LIMIT ?",
                (kind, kind, before if before is not None else 1 << 62, limit),
            ).fetchall()
        return [
            {"id": i, "t": t / 1000, "kind": k, "subject": s, "text": x, "who": w}
            for i, t, k, s, x, w in rows
        ]

    def points(self, every_s: int) -> list[list[float]]:
        """The charts' points of before, oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT point FROM points WHERE every_s=? ORDER BY t", (every_s,)
            ).fetchall()
        return [json.loads(point) for (point,) in rows]

    def totals(self) -> dict[str, Mapping[str, int]]:
        """What was counted so far, by camera."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT w.text, sum(s.ok), sum(s.failed), sum(s.dropped), sum(s.defects) "
                "FROM slots s JOIN words w ON w.id=s.camera GROUP BY s.camera"
            ).fetchall()
        keys = ("ok", "failed", "dropped", "defects")
        return {camera: dict(zip(keys, numbers, strict=True)) for camera, *numbers in rows}

    def picture(self, image: int) -> tuple[str, bytes] | None:
        """Media type and content of an image's small picture, where one was kept."""
        with self._open() as connection:
            row = connection.execute(
                "SELECT media_type, content FROM pictures WHERE image=?", (image,)
            ).fetchone()
        return None if row is None else (str(row[0]), bytes(row[1]))

    def sample(self, image: int) -> Kept | None:
        """The whole picture of an image, with what the model said, where it was kept."""
        with self._open() as connection:
            row = connection.execute(
                "SELECT rule, media_type, answer, content FROM samples WHERE image=?", (image,)
            ).fetchone()
        return None if row is None else Kept(row[0], row[1], json.loads(row[2]), bytes(row[3]))


def _slots(since: float, until: float) -> tuple[int, int]:
    """Half hours that begin in the time; a bound within one takes the whole of it."""
    return int(since // SLOT_S), int(-(-until // SLOT_S))


def _label_parts(
    connection: sqlite3.Connection, first: int, last: int
) -> tuple[str, tuple[int, ...]]:
    """Whole days, and the half hours before and behind them; of an older format half hours only."""
    slots = "SELECT camera, label, images FROM labels_of_slots WHERE slot>=? AND slot<?"
    day, end = -(-first // DAY_SLOTS), last // DAY_SLOTS
    older = connection.execute("PRAGMA user_version").fetchone()[0] < DAYS_SINCE
    if day >= end or older:
        return slots, (first, last)
    days = "SELECT camera, label, images FROM labels_of_days WHERE day>=? AND day<?"
    edges = first, day * DAY_SLOTS, end * DAY_SLOTS, last
    return f"{slots} UNION ALL {slots} UNION ALL {days}", (*edges, day, end)


def _number(connection: sqlite3.Connection, text: str) -> int | None:
    row = connection.execute("SELECT id FROM words WHERE text=?", (text,)).fetchone()
    return None if row is None else int(row[0])


def _mark(t: int, number: int) -> str:
    return f"{t}.{number}"


_WORDS_AT = {"camera": 2, "label": 5, "folder": 9, "job": 11, "worker": 12, "model": 13,
    "reason": 14}  # fmt: skip


def _texts(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> dict[int, str]:
    return _words(connection, {row[at] for row in rows for at in _WORDS_AT.values()} - {None})


def _words(connection: sqlite3.Connection, wanted: set[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    numbers = sorted(wanted)
    for start in range(0, len(numbers), 500):
        some = numbers[start : start + 500]
        marks = ",".join("?" * len(some))
        found.update(
            connection.execute(f"SELECT id, text FROM words WHERE id IN ({marks})", some)  # noqa: S608
        )
    return found


def _record(row: tuple[Any, ...], texts: Mapping[int, str]) -> Record:
    words = {name: texts.get(row[at], "") for name, at in _WORDS_AT.items()}
    several = json.loads(row[17]) if row[17] else None
    score = None if row[6] is None else row[6] / SCORE_SCALE
    one = [{"label": words["label"], "score": score, "count": 1}] if words["label"] else []
    folder, name = words["folder"], row[8] or ""
    return {
        "number": row[0],
        "t": row[1] / 1000,
        "camera": words["camera"],
        "seq": row[3],
        "status": STATUSES[row[4]],
        "name": name,
        "folder": folder,
        "id": id_of(row[10], row[8]),
        "job": words["job"],
        "label": words["label"],
        "score": score,
        "labels": [{"label": lb, "score": round(s, 4), "count": n} for lb, s, n in several]
        if several
        else one,
        "defect": bool(row[7]),
        "reason": words["reason"],
        "detail": row[15] or "",
        "worker": words["worker"],
        "model": words["model"],
        "ms": row[16],
        "sample": row[18] or "",
    }
