"""Single facts that the splitter remembers beside its images."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import Any

from contract.durable.database import is_out_of_room
from lambdas.common.runs import Known
from lambdas.splitter.tables import JournalFullError


class Notes:
    """Each is durable at once. Raises `sqlite3.Error` where nothing else is said."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, key: str, default: Any) -> Any:
        """The note, which is `default` from now on if there was none."""
        row = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        if row is None:
            self.put(key, default)
        return row[0] if row else default

    def put(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES(?,?)", (key, value))

    @property
    def unsettled(self) -> bool:
        """Since damage: accepted images may be missing here that have no record yet."""
        return bool(self.get("unsettled", 0))

    def settled(self) -> None:
        self._put_if_room("unsettled", 0)

    @property
    def identity(self) -> str:
        """Of this file: a copy of it has the same, a new one another."""
        return str(self.get("identity", os.urandom(8).hex()))

    @property
    def volume(self) -> str:
        """The identity of the images volume that the entries speak of; "": none yet."""
        return str(self.get("volume", ""))

    def remember_volume(self, identity: str) -> None:
        self._put_if_room("volume", identity)

    @property
    def volume_apart(self) -> bool:
        """Whether that one was a file system of its own."""
        return bool(self.get("volume_apart", 0))

    def remember_volume_apart(self, apart: bool) -> None:
        self._put_if_room("volume_apart", int(apart))

    @property
    def runs(self) -> Known:
        """Which run gave which numbers, as far as they are open."""
        found: Known = json.loads(self.get("runs", "{}"))
        return found

    def remember_runs(self, known: Known) -> None:
        """Raises `JournalFullError`: the next start would not know."""
        text = json.dumps(known)
        if not self._put_if_room("runs", text):
            raise JournalFullError(f"no room for {len(text)} bytes about runs")

    @property
    def drained(self) -> list[str]:
        """Workers that an operator drained, until undrained."""
        return [str(name) for name in json.loads(self.get("drained", "[]"))]

    def remember_drained(self, names: list[str]) -> None:
        """Raises `JournalFullError`: it holds until the splitter restarts, no longer."""
        text = json.dumps(names)
        if not self._put_if_room("drained", text):
            raise JournalFullError(f"no room for {len(text)} bytes about drained workers")

    def _put_if_room(self, key: str, value: Any) -> bool:
        try:
            self.put(key, value)
        except sqlite3.Error as error:
            if not is_out_of_room(error):
                raise
            return False
        return True
