"""Rows of the log that go: what every sink has passed, or what a quota costs."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from contract.durable.database import is_out_of_room, transaction
from contract.durable.room import Room

# A transaction of a full disk must fit the log file as it is: a hundred pages or so.
DELETE_STEP = 64


class Trimmed(NamedTuple):
    rows: int = 0
    bytes: int = 0
    records: int = 0


def delete_upto(db: sqlite3.Connection, room: Room, n: int) -> Trimmed:
    """Delete rows up to `n`, oldest first. On a full disk as far as it goes: SQLite's log must
    take each step."""
    gone, made_room = Trimmed(), False
    while True:
        step = db.execute(
            "SELECT n, bytes, count FROM log WHERE n<=? ORDER BY n LIMIT ?", (n, DELETE_STEP)
        ).fetchall()
        if not step:
            return gone
        try:
            with transaction(db):
                db.execute("DELETE FROM log WHERE n <= ?", (step[-1][0],))
        except sqlite3.Error as error:
            if not is_out_of_room(error):
                raise
            if made_room:
                return gone
            made_room = True
            room.make(db)
            continue
        gone = Trimmed(
            gone.rows + len(step),
            gone.bytes + sum(size for _, size, _ in step),
            gone.records + sum(count for _, _, count in step),
        )


def oldest(db: sqlite3.Connection, size: int) -> int:
    """The last of the oldest rows that have `size` bytes together; 0: there is none."""
    freed = upto = 0
    for n, length in db.execute("SELECT n, bytes FROM log ORDER BY n"):
        if freed >= size:
            break
        freed, upto = freed + length, n
    return upto
