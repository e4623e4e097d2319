"""What a damaged SQLite file still gives: every table from both ends up to the damage.

A page that cannot be read makes everything behind it unreachable in that direction, so
each table is read once from its first row and, where that ended early, once from its last.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, Mapping, NamedTuple

_UNREADABLE = (sqlite3.DatabaseError, ValueError, OverflowError)


class Salvage(NamedTuple):
    """`kept`: where the damaged file is. `rows` per table were copied; `broken`: tables that
    were not read from one end to the other, so rows of theirs may be lost. `holes`: for such a
    table the first columns of the last row read from its front and of the last one read from
    its back, None where there was none. `counted`: AUTOINCREMENT's numbers were read."""

    kept: str
    rows: dict[str, int]
    broken: tuple[str, ...]
    holes: Mapping[str, tuple[Any, Any]] = {}
    counted: bool = False

    def for_stats(self) -> dict[str, Any]:
        return {
            "kept": Path(self.kept).name,
            "rescued": sum(self.rows.values()),
            "broken": list(self.broken),
        }


def salvage(kept: str, fresh: sqlite3.Connection) -> Salvage:
    """Copy what still reads of the file at `kept` into `fresh`, which has the same schema."""
    rows: dict[str, int] = {}
    broken: list[str] = []
    tables = fresh.execute(
        "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    damaged = _open(kept)
    fresh.execute("BEGIN IMMEDIATE")
    holes: dict[str, tuple[Any, Any]] = {}
    counted = False
    for (table,) in tables:
        if damaged is None:
            rows[table] = 0
            broken.append(table)
            continue
        rows[table], hole = _copy(damaged, fresh, table)
        if hole:
            broken.append(table)
            holes[table] = hole
    if damaged:
        counted = _copy_counters(damaged, fresh)
        damaged.close()
    fresh.execute("COMMIT")
    return Salvage(kept, rows, tuple(broken), holes, counted)


def _open(path: str) -> sqlite3.Connection | None:
    try:
        # Not read-only: the log beside it belongs to it and is read through it.
        damaged = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=rw", uri=True)
    except sqlite3.Error:
        return None
    # Else a file that is shorter than its header says is not read at all.
    with contextlib.suppress(sqlite3.Error):
        damaged.execute("PRAGMA writable_schema=ON")
    return damaged


def _copy_counters(damaged: sqlite3.Connection, fresh: sqlite3.Connection) -> bool:
    """AUTOINCREMENT's memory of the highest number, which may be above every row that is left."""
    try:
        counters = damaged.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    except _UNREADABLE:
        return False  # no table counts, or that page is lost: the rows' own numbers count
    for name, last in counters:
        fresh.execute("DELETE FROM sqlite_sequence WHERE name=?", (name,))
        fresh.execute("INSERT INTO sqlite_sequence VALUES(?, ?)", (name, last))
    return True


def columns_of(database: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]


def _copy(
    damaged: sqlite3.Connection, fresh: sqlite3.Connection, table: str
) -> tuple[int, tuple[Any, Any] | None]:
    """How many rows came over, and the hole (see `Salvage`); None: the table is whole."""
    columns = fresh.execute(f"PRAGMA table_info({table})").fetchall()
    # In the order of the tree itself: any other would be sorted, and read whole for that.
    key = [name for _, name, _, _, _, place in sorted(columns, key=lambda c: c[5]) if place]
    try:
        # A file of another format has others, too.
        there = set(columns_of(damaged, table))
    except _UNREADABLE:
        there = set()
    both = ", ".join(name for _, name, *_ in columns if name in there or not there)
    front = _copy_in_order(damaged, fresh, table, ", ".join(key), both)
    if front.complete:
        return front.rows, None
    backward = ", ".join(f"{name} DESC" for name in key)
    back = _copy_in_order(damaged, fresh, table, backward, both)
    return front.rows + back.rows, (front.last, back.last)


class _Copied(NamedTuple):
    rows: int
    last: Any
    complete: bool


def _copy_in_order(
    damaged: sqlite3.Connection, fresh: sqlite3.Connection, table: str, order: str, columns: str
) -> _Copied:
    copied, last = 0, None
    marks = ",".join("?" * (columns.count(",") + 1))
    insert = f"INSERT OR IGNORE INTO {table}({columns}) VALUES({marks})"
    try:
        for row in damaged.execute(f"SELECT {columns} FROM {table} ORDER BY {order}"):  # noqa: S608
            copied += fresh.execute(insert, row).rowcount
            last = row[0]
    except _UNREADABLE:
        return _Copied(copied, last, complete=False)
    return _Copied(copied, last, complete=True)
