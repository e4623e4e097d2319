"""Samples into the history's file and out of its quota; the writer's thread."""

from __future__ import annotations

import logging
import sqlite3
from typing import Protocol

from contract.durable.database import is_damage, is_full, transaction
from contract.image_kinds import HEAD_BYTES, kind_of
from edgecore.history.sample_files import LeftOutError
from edgecore.history.sampler import Sample

MOST_AT_ONCE = 4
"""Between two batches of results, of up to 16 MiB each."""
EARLIER_MS = 60_000
"""The row's time is the ordered result's, which comes after the worker's answer."""
UNKNOWN_TYPE = "application/octet-stream"

log = logging.getLogger(__name__)


class Waiting(Protocol):
    """The sampler, as the writer sees it."""

    @property
    def max_bytes(self) -> int: ...
    def due(self, most: int) -> list[Sample]: ...
    def later(self, sample: Sample) -> None: ...
    def content(self, sample: Sample) -> bytes: ...
    def done(self, sample: Sample, left_out: str = "") -> None: ...


def keep_due(connection: sqlite3.Connection, sampler: Waiting) -> bool:
    """Whether one was kept. Raises sqlite3.Error for damage only; a full file costs the sample."""
    kept = False
    for sample in sampler.due(MOST_AT_ONCE):
        try:
            image = _image_of(connection, sample)
            if image is None:
                sampler.later(sample)
                continue
            _keep(connection, image, sample, sampler)
            kept = True
        except LeftOutError as error:
            sampler.done(sample, str(error))
        except sqlite3.Error as error:
            if is_damage(error):
                raise
            sampler.done(sample, "disk full" if is_full(error) else "error")
            log.warning("samples: %s is not kept: %s", sample.key, error)
    return kept


def _image_of(connection: sqlite3.Connection, sample: Sample) -> int | None:
    camera, seq, _ = sample.key
    row = connection.execute(
        "SELECT id FROM images WHERE camera=(SELECT id FROM words WHERE text=?) AND t>=? AND seq=? "
        "ORDER BY t DESC LIMIT 1",
        (camera, int(sample.t * 1000) - EARLIER_MS, seq),
    ).fetchone()
    return None if row is None else int(row[0])


def _keep(connection: sqlite3.Connection, image: int, sample: Sample, sampler: Waiting) -> None:
    """Room is made first: the file must not grow beyond what samples may have."""
    content = sampler.content(sample)
    if len(content) > sampler.max_bytes:
        raise LeftOutError("it is too large")
    kind = kind_of(content[:HEAD_BYTES])
    media_type = kind.media_type if kind is not None and kind.media_type else UNKNOWN_TYPE
    with transaction(connection):
        trim(connection, sampler.max_bytes - len(content))
        connection.execute(
            "INSERT OR IGNORE INTO samples VALUES(?,?,?,?,?,?)",
            (image, sample.rule, len(content), media_type, sample.answer, content),
        )
    sampler.done(sample)


def held_bytes(connection: sqlite3.Connection) -> int:
    (held,) = connection.execute("SELECT COALESCE(sum(bytes), 0) FROM samples").fetchone()
    return int(held)


def trim(connection: sqlite3.Connection, max_bytes: int) -> int:
    """The oldest go; how many."""
    over = held_bytes(connection) - max_bytes
    if over <= 0:
        return 0
    gone: list[tuple[int]] = []
    for image, size in connection.execute("SELECT image, bytes FROM samples ORDER BY image"):
        if over <= 0:
            break
        gone.append((image,))
        over -= size
    connection.executemany("DELETE FROM samples WHERE image=?", gone)
    return len(gone)
