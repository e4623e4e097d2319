"""What the history forgets, oldest first: by age, by size, and the counts by their number.

Age is the history's own: seconds that a core ran, plus at most a day for each time that none did.
So a clock that jumps ten years forward deletes nothing, and one that starts in 1970 keeps nothing
for ever: what is forgotten is what was written first.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from contract.durable.database import transaction
from contract.durable.room import PAGE_BYTES
from edgecore.history.sampling import trim
from edgecore.history.schema import DAY_SLOTS
from edgecore.history.string_table import MAX_WORDS, OTHER, drop_unused

MARK_EVERY_S = 3600.0
MOST_OFF_S = 86_400.0
MAX_SLOTS = 2_000_000
STEP = 2_000
HIGH_SHARE, LOW_SHARE = 0.92, 0.88
"""Of the quota: above the first rows go, until the second is reached."""


def age_after(age_s: float, wall_at_end: float | None, wall_now: float) -> float:
    """The history's age when a core starts. Pure."""
    if wall_at_end is None:
        return age_s
    return age_s + min(max(wall_now - wall_at_end, 0.0), MOST_OFF_S)


@dataclass(frozen=True)
class Limits:
    keep_s: float
    max_bytes: int
    pictures_bytes: int
    samples_bytes: int


class Retention:
    """``step`` now and then: a little work each, so that the writer never falls behind."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._marked_s = float("-inf")
        self._shrinking = False
        self.forgotten = 0

    def mark(self, age_s: float) -> None:
        """Rows before this one are older than this age."""
        if age_s - self._marked_s < MARK_EVERY_S:
            return
        self._connection.execute(
            "INSERT OR IGNORE INTO marks "
            "SELECT COALESCE(max(id), 0) + 1, ? FROM images", (age_s,)
        )  # fmt: skip
        self._marked_s = age_s

    def step(self, age_s: float, limits: Limits) -> bool:
        """Forget up to ``STEP`` rows; True while there is more to do."""
        before = self._first_to_keep(age_s - limits.keep_s)
        if before is not None and self._forget(before):
            return True
        share = LOW_SHARE if self._shrinking else HIGH_SHARE
        self._shrinking = self.used_bytes() > limits.max_bytes * share
        if self._shrinking:
            return bool(self._forget(None)) or self._trim_slots(1)
        trim(self._connection, limits.samples_bytes)
        return self._trim_pictures(limits.pictures_bytes) or self._trim_slots(0)

    def sweep(self) -> None:
        """Once a day: words and marks of what is gone."""
        with transaction(self._connection):
            count = self._connection.execute("SELECT count(*) FROM words").fetchone()[0]
            if count > MAX_WORDS // 2:  # it reads every row
                drop_unused(self._connection)
            self._connection.execute(
                "DELETE FROM marks WHERE first_id < (SELECT min(id) FROM images) AND first_id < "
                "(SELECT max(first_id) FROM marks WHERE first_id <= "
                "(SELECT min(id) FROM images))"
            )

    def shrink(self) -> None:
        """The disk or the quota is full: make room in the file itself."""
        self._shrinking = True
        for _ in range(5):
            self._forget(None)

    def _first_to_keep(self, age_s: float) -> int | None:
        row = self._connection.execute(
            "SELECT max(first_id) FROM marks WHERE age_s <= ?", (age_s,)
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def _forget(self, before: int | None) -> int:
        """The oldest rows, of those below ``before`` where it is given; how many."""
        bound = "" if before is None else "WHERE id < ?"
        rows = self._connection.execute(
            f"SELECT id, t, label, labels FROM images {bound} ORDER BY id LIMIT ?",  # noqa: S608
            (STEP,) if before is None else (before, STEP),
        ).fetchall()
        if not rows:
            return 0
        labels = [(label, t, image) for image, t, label, _ in rows if label is not None]
        with transaction(self._connection):
            for image, t, _, several in rows:
                if several:
                    labels += self._labels_of(image, t, several)
            self._connection.executemany(
                "DELETE FROM labels WHERE label=? AND t=? AND image=?", labels
            )
            for table in ("pictures", "samples"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE image <= ?",  # noqa: S608 - our own names
                    (rows[-1][0],),
                )
            self._connection.execute("DELETE FROM images WHERE id <= ?", (rows[-1][0],))
        self.forgotten += len(rows)
        return len(rows)

    def _labels_of(self, image: int, t: int, several: str) -> list[tuple[int, int, int]]:
        found = []
        for label, _, _ in json.loads(several):
            numbers = self._connection.execute(
                "SELECT id FROM words WHERE text IN (?,?)", (label, OTHER)
            ).fetchall()
            found += [(int(number), t, image) for (number,) in numbers]
        return found

    def used_bytes(self) -> int:
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
        return int(pages - free) * PAGE_BYTES

    def _trim_pictures(self, max_bytes: int) -> bool:
        held = self._connection.execute(
            "SELECT COALESCE(sum(length(content)), 0) FROM pictures"
        ).fetchone()[0]
        if held <= max_bytes:
            return False
        self._connection.execute(
            "DELETE FROM pictures WHERE image IN "
            "(SELECT image FROM pictures ORDER BY image LIMIT 50)"
        )
        return True

    def _trim_slots(self, at_least: int) -> bool:
        """Counts live longer than rows; there are at most ``MAX_SLOTS`` of them."""
        count = self._connection.execute("SELECT count(*) FROM labels_of_slots").fetchone()[0]
        if not count or (count <= MAX_SLOTS and not at_least):
            return False
        with transaction(self._connection):
            (first,) = self._connection.execute("SELECT min(slot) FROM labels_of_slots").fetchone()
            last = first + DAY_SLOTS - 1
            self._connection.execute("DELETE FROM labels_of_slots WHERE slot <= ?", (last,))
            self._connection.execute("DELETE FROM slots WHERE slot <= ?", (last,))
            self._connection.execute(
                "DELETE FROM labels_of_days WHERE day < ?", ((last + 1) // DAY_SLOTS,)
            )
        return True
