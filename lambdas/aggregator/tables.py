"""What the aggregator's memory is made of: its tables, and their rows."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

FORMAT = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS streams(stream TEXT PRIMARY KEY, next INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gaps(stream TEXT, seq INTEGER, PRIMARY KEY(stream, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held(stream TEXT, seq INTEGER, body TEXT,
  PRIMARY KEY(stream, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log(n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, stream TEXT,
  first INTEGER, last INTEGER, count INTEGER, bytes INTEGER, body TEXT, epoch TEXT);
CREATE TABLE IF NOT EXISTS cursors(sink TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs(job TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
"""

#: What each format adds to the one before it.
STEPS = {2: "ALTER TABLE log ADD COLUMN epoch TEXT;"}


class Row(NamedTuple):
    """Records of one stream, in order: `body` is their JSON texts joined with commas. `epoch`:
    the run of the splitter that gave their numbers."""

    n: int
    kind: str
    stream: str
    first: int
    last: int
    records: int
    bytes: int
    body: str
    epoch: str


class Window(NamedTuple):
    """What a sink sends next: rows after its cursor up to `n`."""

    n: int
    note: str


def saved_window(value: Any) -> Window:
    """A sink's window as `meta` has it; nothing kept, or a number alone, is read too."""
    saved = json.loads(str(value or 0))
    return Window(*saved) if isinstance(saved, list) else Window(saved, "")
