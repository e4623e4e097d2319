"""One page of a search, newest first, within a time: how far it came is said, and it goes on there.

First as SQLite does it best. What takes too long that way is looked for again in windows of the
newest rows: a name whose beginning nobody knows is in no index in order of time.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from edgecore.history.query import Query, Sql, sql_of

NEAR_ROWS = 50_000
"""Also what a window holds: some 0.1 s."""
DIRECT_SHARE = 0.4
"""Of the time, for the way without windows."""
_LATEST_MS = 1 << 62

Row = tuple[Any, ...]
Words = Mapping[str, int | None]
Mark = tuple[int, int]
"""Milliseconds and number of a row; of what is behind it."""


class Deadline:
    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = self._at = clock() + limit_s

    def passed(self) -> bool:
        return self._clock() > self._at

    @contextlib.contextmanager
    def within(self, share: float) -> Iterator[None]:
        """This share of the time that is left."""
        now = self._clock()
        self._at = now + (self._end - now) * share
        try:
            yield
        finally:
            self._at = self._end


def interrupted(error: sqlite3.Error) -> bool:
    return "interrupted" in str(error)


def find_rows(
    connection: sqlite3.Connection, query: Query, words: Words, deadline: Deadline
) -> tuple[list[Row], Mark | None]:
    """The rows, and how far the search came if its time was over. Raises sqlite3.Error:
    interrupted where it came nowhere."""
    try:
        with deadline.within(DIRECT_SHARE):
            return _direct(connection, query, words), None
    except sqlite3.OperationalError as error:
        if not interrupted(error):
            raise
    return _by_windows(connection, query, words)


def _by_windows(
    connection: sqlite3.Connection, query: Query, words: Words
) -> tuple[list[Row], Mark | None]:
    found: list[Row] = []
    reached = query.before
    while True:
        try:
            since = _window(connection, query, reached)
            rest = replace(query, limit=query.limit - len(found), before=reached)
            found += _run(connection, sql_of(rest, words, since_ms=since))
        except sqlite3.OperationalError as error:
            if not interrupted(error) or reached == query.before:
                raise
            return found, reached
        if len(found) == query.limit or since is None:
            return found, None
        reached = (since, 0)


def _window(connection: sqlite3.Connection, query: Query, reached: Mark | None) -> int | None:
    """When the window begins that ends where the search came to; None: it is the last one."""
    row = connection.execute(
        "SELECT t FROM images WHERE t<=? ORDER BY t DESC LIMIT 1 OFFSET ?",
        (_until_ms(query, reached), NEAR_ROWS),
    ).fetchone()
    if row is None or (query.since is not None and row[0] <= query.since * 1000):
        return None
    return int(row[0])


def _until_ms(query: Query, reached: Mark | None) -> int:
    until = int(query.until * 1000) if query.until is not None else _LATEST_MS
    return min(until, reached[0]) if reached is not None else until


def _direct(connection: sqlite3.Connection, query: Query, words: Words) -> list[Row]:
    """A pattern is looked for among the newest rows, and then in the index of names.

    One that many names fit fills its page at once; of one that few fit the index has a quarter of
    the rows' cost, and a list of them is short.
    """
    if not query.is_pattern:
        return _run(connection, sql_of(query, words))
    near = _window(connection, query, query.before)
    rows = _run(connection, sql_of(query, words, since_ms=near))
    if len(rows) == query.limit or near is None:
        return rows
    return _run(connection, sql_of(query, words, names_first=True))


def _run(connection: sqlite3.Connection, sql: Sql | None) -> list[Row]:
    """None: a word of it never came."""
    return connection.execute(sql.text, sql.values).fetchall() if sql else []
