"""The splitter's memory after damage: what is left is made whole."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from contract.durable.database import transaction
from contract.durable.salvage import Salvage


def repair(db: sqlite3.Connection, salvage: Salvage) -> None:
    """After damage. Numbers go on only where every one that was given out is known;
    else this is a new epoch, and the aggregator tells where it starts."""
    with transaction(db):
        rows = db.execute("SELECT stream, seq, item FROM images").fetchall()
        for stream, seq, item in rows:
            if not is_item(item, stream, seq):
                db.execute("DELETE FROM images WHERE stream=? AND seq=?", (stream, seq))
        # Until every number below `next` is known to have an entry or a record (`Losses`).
        db.execute("INSERT OR REPLACE INTO meta VALUES('unsettled', 1)")
        if {"meta", "streams"} & set(salvage.broken):
            db.execute("DELETE FROM meta WHERE key IN ('epoch', 'synced')")
        for table, last in (("images", "seq"), ("events", "seq + count - 1")):
            db.execute(
                "INSERT INTO streams SELECT stream, max("  # noqa: S608
                f"{last}) + 1 FROM {table} WHERE true GROUP BY stream "
                "ON CONFLICT(stream) DO UPDATE SET next=max(next, excluded.next)"
            )


def is_item(text: Any, stream: str, seq: int) -> bool:
    """Whether a rescued row is what was written: a damaged page may still read as rows."""
    try:
        item = json.loads(text)
    except (TypeError, ValueError):
        return False
    return isinstance(item, dict) and (item.get("stream"), item.get("seq")) == (stream, seq)
