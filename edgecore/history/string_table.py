"""Texts that repeat, as numbers: bounded in the file and in memory."""

from __future__ import annotations

import sqlite3

MAX_WORDS = 200_000
MAX_CACHED = 20_000
_USES = {
    "images": ("camera", "label", "folder", "job", "worker", "model", "reason"),
    "labels": ("label",),
    "slots": ("camera",),
    "labels_of_slots": ("label",),
    "labels_of_days": ("label",),
}
OTHER = "(other: too many different values)"


class StringTable:
    """Within the owner's transaction; ``forget`` after one that was rolled back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._cache: dict[str, int] = {}
        self._count = int(connection.execute("SELECT count(*) FROM words").fetchone()[0])

    def number(self, text: str) -> int | None:
        """None for an empty text."""
        if not text:
            return None
        known = self._cache.get(text)
        return known if known is not None else self._look_up(text)

    def forget(self) -> None:
        self._cache.clear()
        self._count = int(self._connection.execute("SELECT count(*) FROM words").fetchone()[0])

    def _look_up(self, text: str) -> int:
        row = self._connection.execute("SELECT id FROM words WHERE text=?", (text,)).fetchone()
        if row is None and self._count >= MAX_WORDS and text != OTHER:
            return self._look_up(OTHER)
        if row is None:
            made = self._connection.execute("INSERT INTO words(text) VALUES(?)", (text,))
            self._count += 1
            found = int(made.lastrowid or 0)
        else:
            found = int(row[0])
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[text] = found
        return found


def drop_unused(connection: sqlite3.Connection) -> int:
    """Texts that no row needs any more; how many. Reads every index once: rarely, at leisure."""
    used = " UNION ".join(
        f"SELECT {column} AS w FROM {table}"  # noqa: S608 - our own names
        for table, columns in _USES.items()
        for column in columns
    )
    unused = f"id NOT IN (SELECT w FROM ({used}) WHERE w IS NOT NULL)"  # noqa: S608
    return connection.execute(f"DELETE FROM words WHERE {unused}").rowcount  # noqa: S608
