"""What the splitter's memory is made of: its tables, and what each format added."""

from __future__ import annotations

FORMAT = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS streams(stream TEXT PRIMARY KEY, next INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS images(stream TEXT, seq INTEGER, item TEXT, verdict TEXT,
  PRIMARY KEY(stream, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events(n INTEGER PRIMARY KEY, stream TEXT, id TEXT,
  seq INTEGER, count INTEGER, mark TEXT, at REAL, UNIQUE(stream, id));
CREATE TABLE IF NOT EXISTS seen(path TEXT PRIMARY KEY, mark TEXT, seq INTEGER) WITHOUT ROWID;
"""

#: What each format adds to the one before it.
STEPS = {
    2: "ALTER TABLE events ADD COLUMN mark TEXT; ALTER TABLE events ADD COLUMN at REAL;",
}


class JournalFullError(Exception):
    """Neither quota nor disk have room; nothing of what was staged was taken."""
