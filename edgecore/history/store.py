"""Rows, events and charts into the file, one transaction for all that came; one thread's own."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contract.durable.database import transaction
from edgecore.history.recently import Recently
from edgecore.history.rows import STATUSES, Row
from edgecore.history.schema import DAY_SLOTS, SCORE_SCALE, SLOT_S
from edgecore.history.string_table import OTHER, StringTable

RECENT = 20_000
"""Records whose repetition is noticed: an aggregator that restarts sends some of them again."""
MAX_SLOT_LABELS = 200
MAX_EVENTS = 20_000
KEPT_POINTS = {1: 600, 10: 2160}
_HASHED = "sha256:"

_INSERT = (
    "INSERT INTO images(id,t,camera,seq,status,label,score,defect,name,folder,image_id,job,worker,"
    "model,reason,detail,ms,labels) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline: ``kind`` such as deployment, ``who`` if somebody did it."""

    t: float
    kind: str
    subject: str
    text: str
    who: str = ""


@dataclass(slots=True)
class Batch:
    """What goes into one transaction."""

    rows: list[Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    points: list[tuple[int, list[float]]] = field(default_factory=list)
    pictures: list[tuple[int, str, bytes]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.events or self.points or self.pictures)


class Store:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._words = StringTable(connection)
        self._recent = Recently(RECENT)
        self._slot_labels: dict[tuple[int, str], set[str]] = {}
        self.repeated = 0
        self._remember_recent()
        # Marks also name rows that are gone: no number is given twice.
        self._next = connection.execute(
            "SELECT max(COALESCE((SELECT max(id) FROM images), 0), "
            "COALESCE((SELECT max(first_id) FROM marks), 1) - 1) + 1"
        ).fetchone()[0]

    def _remember_recent(self) -> None:
        rows = self._connection.execute(
            "SELECT w.text, i.seq, i.image_id, i.name FROM images i JOIN words w ON w.id=i.camera "
            "ORDER BY i.id DESC LIMIT ?",
            (RECENT // 2,),
        ).fetchall()
        for camera, seq, image_id, name in reversed(rows):
            self._recent.add((camera, seq, id_of(image_id, name)))

    def add(self, batch: Batch) -> list[tuple[int, Row]]:
        """The rows that are new, with their numbers. Raises sqlite3.Error: nothing was added."""
        fresh = [row for row in batch.rows if self._is_new(row)]
        try:
            with transaction(self._connection):
                added = self._add_rows(fresh)
                self._count(fresh)
                self._add_events(batch.events)
                self._add_points(batch.points)
                self._connection.executemany(
                    "INSERT OR REPLACE INTO pictures SELECT ?,?,? "
                    "WHERE EXISTS (SELECT 1 FROM images WHERE id=?)",
                    [(image, kind, data, image) for image, kind, data in batch.pictures],
                )
        except BaseException:
            self._words.forget()
            self._recent.forget_newest(len(fresh))
            raise
        self._next += len(added)
        return added

    def _is_new(self, row: Row) -> bool:
        new = self._recent.add(row.key)
        self.repeated += not new
        return new

    def _add_rows(self, rows: Sequence[Row]) -> list[tuple[int, Row]]:
        numbered = list(enumerate(rows, self._next))
        self._connection.executemany(_INSERT, [self._values(i, row) for i, row in numbered])
        self._connection.executemany(
            "INSERT OR IGNORE INTO labels VALUES(?,?,?,?)",
            [
                (self._words.number(f.label), int(row.t * 1000), i, round(f.score * SCORE_SCALE))
                for i, row in numbered
                for f in row.labels
                if f.label
            ],
        )
        return numbered

    def _values(self, image: int, row: Row) -> tuple[Any, ...]:
        number, labels, best, score = self._words.number, None, None, None
        if row.labels:
            best = row.labels[0]
            score = round(best.score * SCORE_SCALE)
            if len(row.labels) > 1 or best.count > 1:
                labels = [(f.label, round(f.score, 4), f.count) for f in row.labels]
        return (
            image, int(row.t * 1000), self._camera(row.camera), row.seq,
            STATUSES.index(row.status), number(best.label) if best else None, score,
            int(row.defect), row.name, number(row.folder), _packed_id(row), number(row.job),
            number(row.worker), number(row.model), number(row.reason), row.detail or None,
            None if row.ms is None else round(row.ms, 1), json.dumps(labels) if labels else None,
        )  # fmt: skip

    def _camera(self, name: str) -> int | None:
        return self._words.number(name or "-")

    def _count(self, rows: Sequence[Row]) -> None:
        images: Counter[tuple[int, str, str]] = Counter()
        labels: Counter[tuple[int, str, str]] = Counter()
        for row in rows:
            slot = int(row.t // SLOT_S)
            images[(slot, row.camera, row.status)] += 1
            if row.defect:
                images[(slot, row.camera, "defects")] += 1
            for found in row.labels:
                labels[(slot, row.camera, self._slot_label(slot, row.camera, found.label))] += 1
        number = self._words.number
        for (slot, camera, column), n in images.items():
            start = {c: n if c == column else 0 for c in (*STATUSES, "defects")}
            self._connection.execute(
                f"INSERT INTO slots VALUES(?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                f"{column}={column}+?",
                (slot, self._camera(camera), *start.values(), n),
            )
        days: Counter[tuple[int, str, str]] = Counter()
        for (slot, camera, label), n in labels.items():
            days[(slot // DAY_SLOTS, camera, label)] += n
        for table, counted in (("labels_of_slots", labels), ("labels_of_days", days)):
            self._connection.executemany(
                f"INSERT INTO {table} VALUES(?,?,?,?) "
                "ON CONFLICT DO UPDATE SET images=images+excluded.images",
                [
                    (at, self._camera(camera), number(label), n)
                    for (at, camera, label), n in counted.items()
                    if label
                ],
            )

    def _slot_label(self, slot: int, camera: str, label: str) -> str:
        """A model that reads serial numbers gives every image a label of its own."""
        if len(self._slot_labels) > 4096:
            self._slot_labels.clear()
        seen = self._slot_labels.setdefault((slot, camera), set())
        if label in seen:
            return label
        if len(seen) >= MAX_SLOT_LABELS:
            return OTHER
        seen.add(label)
        return label

    def _add_events(self, events: Iterable[Event]) -> None:
        values = [(int(e.t * 1000), e.kind, e.subject, e.text, e.who) for e in events]
        if not values:
            return
        self._connection.executemany(
            "INSERT INTO events(t,kind,subject,text,who) VALUES(?,?,?,?,?)", values
        )
        self._connection.execute(
            "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (MAX_EVENTS,)
        )

    def _add_points(self, points: Sequence[tuple[int, list[float]]]) -> None:
        """The charts' newest points; of each resolution as many as the page draws. Points of a
        clock that was set back since would be the newest for ever."""
        if not points:
            return
        newest = {every_s: point[0] for every_s, point in points}
        self._connection.executemany(
            "DELETE FROM points WHERE every_s=? AND t>?", list(newest.items())
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO points VALUES(?,?,?)",
            [(every_s, point[0], json.dumps(point)) for every_s, point in points],
        )
        if any(every_s > 1 for every_s, _ in points):
            self._connection.executemany(
                "DELETE FROM points WHERE every_s=? AND t < (SELECT t FROM points "
                "WHERE every_s=? ORDER BY t DESC LIMIT 1 OFFSET ?)",
                [(every_s, every_s, kept) for every_s, kept in KEPT_POINTS.items()],
            )

    def meta(self, key: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, **values: Any) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES(?,?)", [(k, str(v)) for k, v in values.items()]
        )


def _packed_id(row: Row) -> bytes | str | None:
    """32 hex digits are 16 bytes; an id that is the name already is not kept twice."""
    if row.id == row.name:
        return None
    digits = row.id.removeprefix(_HASHED)
    if len(digits) == 32 and row.id != digits:
        try:
            return bytes.fromhex(digits)
        except ValueError:
            return row.id
    return row.id


def id_of(packed: bytes | str | None, name: str | None) -> str:
    if isinstance(packed, bytes):
        return _HASHED + packed.hex()
    return packed if packed is not None else name or ""
