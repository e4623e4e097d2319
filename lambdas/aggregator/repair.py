"""The aggregator's memory after damage: what is left is made whole."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from contract.durable.database import transaction
from lambdas.aggregator.tables import saved_window


def repair(db: sqlite3.Connection) -> int:
    """Nothing hangs in the air, and no row's number is used twice.

    Returns how many rows of the log, at least, are lost.
    """
    delete = db.execute
    with transaction(db):
        # A stream whose place is lost cannot go on in order: it begins anew.
        delete("DELETE FROM gaps WHERE stream NOT IN (SELECT stream FROM streams)")
        delete("DELETE FROM held WHERE stream NOT IN (SELECT stream FROM streams)")
        for stream, seq, body in db.execute("SELECT stream, seq, body FROM held").fetchall():
            if not _is_json(body):
                delete("DELETE FROM held WHERE stream=? AND seq=?", (stream, seq))
        for n, body in db.execute("SELECT n, body FROM log").fetchall():
            if not _is_json(body):
                delete("DELETE FROM log WHERE n=?", (n,))
        for job, body in db.execute("SELECT job, body FROM jobs").fetchall():
            if not _is_json(body):
                delete("DELETE FROM jobs WHERE job=?", (job,))
        last = _last_number(db)
        delete("DELETE FROM sqlite_sequence")
        delete("INSERT INTO sqlite_sequence VALUES('log', ?)", (last,))
    (known,) = db.execute("SELECT coalesce(min(n), 0) FROM cursors").fetchone()
    (kept,) = db.execute("SELECT count(*) FROM log WHERE n > ?", (int(known),)).fetchone()
    return int(last - known - kept)


def _last_number(db: sqlite3.Connection) -> int:
    """The highest number that anything left still knows of."""
    (last,) = db.execute(
        "SELECT max(coalesce((SELECT max(n) FROM log), 0),"
        " coalesce((SELECT max(n) FROM cursors), 0),"
        " coalesce((SELECT max(seq) FROM sqlite_sequence), 0))"
    ).fetchone()
    windows = db.execute("SELECT value FROM meta WHERE key LIKE '%_window'").fetchall()
    return max(int(last), *(saved_window(value).n for (value,) in windows), 0)


def _is_json(body: Any) -> bool:
    """Whether a rescued row is what was written: a damaged page may still read as rows."""
    try:
        json.loads(f"[{body}]")
    except ValueError:
        return False
    return True
