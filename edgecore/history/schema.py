"""The history's tables, and how the file is opened for its writer and for its readers.

Text that repeats (cameras, labels, folders, models …) is a number of ``words``. Times are
milliseconds of the wall clock. ``slots`` and ``labels_of_slots`` are what an hour and a shift are
counted from, half an hour each; they outlive the rows. ``marks`` says how old rows are by the
history's own clock, which no change of the wall clock moves (retention.py). A day is one of UTC.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from contract.durable.database import Format, Opened, open_database
from contract.durable.room import PAGE_BYTES

SLOT_S = 1800
DAY_SLOTS = 48
DAYS_SINCE = 2
"""The format that has ``labels_of_days``."""
SCORE_SCALE = 10_000
CHECK_BYTES = 64 << 20
CHECKPOINT_PAGES = 1000
CACHE_KB = 4096
"""Of the core's memory, for good once as much has been written; 16 MB made no row cheaper."""
STEP_BYTES = 64 << 20
"""Beyond its quota, for a step to a newer format: a file whose quota was lowered is full."""

FORMAT = 2

# Kept pictures; the content last, so that nothing else of a row lies behind it.
SAMPLES = """
CREATE TABLE IF NOT EXISTS samples(
  image INTEGER PRIMARY KEY, rule TEXT NOT NULL, bytes INTEGER NOT NULL,
  media_type TEXT NOT NULL, answer TEXT NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS samples_rule ON samples(rule, image, bytes);
"""

# What a year's label counts are summed from: 48 times fewer rows than half hours.
DAYS = """
CREATE TABLE IF NOT EXISTS labels_of_days(
  day INTEGER NOT NULL, camera INTEGER NOT NULL, label INTEGER NOT NULL, images INTEGER NOT NULL,
  PRIMARY KEY(day, camera, label)) WITHOUT ROWID;
"""
_DAYS_OF_SLOTS = f"""
INSERT INTO labels_of_days
  SELECT (slot - (slot % {DAY_SLOTS} + {DAY_SLOTS}) % {DAY_SLOTS}) / {DAY_SLOTS} AS day,
    camera, label, sum(images) FROM labels_of_slots GROUP BY day, camera, label;
"""  # noqa: S608 - our own number

STEPS = {2: SAMPLES + DAYS + _DAYS_OF_SLOTS}

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS words(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS images(
  id INTEGER PRIMARY KEY, t INTEGER NOT NULL, camera INTEGER NOT NULL, seq INTEGER NOT NULL,
  status INTEGER NOT NULL, label INTEGER, score INTEGER, defect INTEGER NOT NULL, name TEXT,
  folder INTEGER, image_id, job INTEGER, worker INTEGER, model INTEGER, reason INTEGER,
  detail TEXT, ms REAL, labels TEXT);
CREATE INDEX IF NOT EXISTS images_t ON images(t);
CREATE INDEX IF NOT EXISTS images_camera ON images(camera, t);
CREATE INDEX IF NOT EXISTS images_bad ON images(status, t) WHERE status > 0;
CREATE INDEX IF NOT EXISTS images_defect ON images(t) WHERE defect = 1;
CREATE INDEX IF NOT EXISTS images_name ON images(name);
CREATE INDEX IF NOT EXISTS images_job ON images(job, t) WHERE job IS NOT NULL;
CREATE TABLE IF NOT EXISTS labels(
  label INTEGER NOT NULL, t INTEGER NOT NULL, image INTEGER NOT NULL, score INTEGER NOT NULL,
  PRIMARY KEY(label, t, image)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS slots(
  slot INTEGER NOT NULL, camera INTEGER NOT NULL, ok INTEGER NOT NULL, failed INTEGER NOT NULL,
  dropped INTEGER NOT NULL, defects INTEGER NOT NULL, PRIMARY KEY(slot, camera)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS labels_of_slots(
  slot INTEGER NOT NULL, camera INTEGER NOT NULL, label INTEGER NOT NULL, images INTEGER NOT NULL,
  PRIMARY KEY(slot, camera, label)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks(first_id INTEGER PRIMARY KEY, age_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS events(
  id INTEGER PRIMARY KEY, t INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  text TEXT NOT NULL, who TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS points(
  every_s INTEGER NOT NULL, t REAL NOT NULL, point TEXT NOT NULL,
  PRIMARY KEY(every_s, t)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures(
  image INTEGER PRIMARY KEY, media_type TEXT NOT NULL, content BLOB NOT NULL);
{SAMPLES}{DAYS}
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


def file_of(state: Path) -> Path:
    """Below a core's state directory."""
    return state / "history" / "history.sqlite3"


def format_of(quota_bytes: int) -> Format:
    return Format(SCHEMA, FORMAT, quota_bytes, check_bytes=CHECK_BYTES, shared=True, steps=STEPS)


def open_for_writing(path: Path, quota_bytes: int) -> Opened:
    """A power cut may take the last half second of it, never the file: it is a memory, while
    the aggregator's store is the record. Raises OSError, sqlite3.Error."""
    size = path.stat().st_size if path.exists() else 0
    opened = open_database(str(path), format_of(max(quota_bytes, size) + STEP_BYTES))
    limit(opened.connection, quota_bytes)
    tune(opened.connection)
    return opened


def limit(connection: sqlite3.Connection, quota_bytes: int) -> None:
    """A file that is larger already grows no further."""
    pages = max(quota_bytes // PAGE_BYTES, 64)
    connection.execute(f"PRAGMA max_page_count={pages}")


def tune(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KB}")


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Beside the writer, in another process too. Raises sqlite3.OperationalError: no file."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    if 0 < connection.execute("PRAGMA user_version").fetchone()[0] < FORMAT:
        # Of a core that has not run since: what its format had not is empty.
        connection.executescript(
            SAMPLES.replace(" TABLE ", " TEMP TABLE ").replace(
                "INDEX IF NOT EXISTS ", "INDEX IF NOT EXISTS temp."
            )
        )
    connection.execute("PRAGMA query_only=1")
    connection.execute("PRAGMA cache_size=-8192")
    return connection
