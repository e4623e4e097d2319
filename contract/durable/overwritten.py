"""A database that somebody writes into while its owner has it open: a backup copied over it.

Another file in its place has another inode (`replaced`). A copy into the same file has not, and
SQLite does not see it: the owner would go on with pages of two ages, and mix them for good when it
empties its log. So the owner remembers size and mtime of the file after each transaction, and looks
before the next. What lies there then is set aside like a damaged file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

#: Beside the database: what was written into, and where it is, until its owner opens it again.
MARKER = ".overwritten"


class Watched(sqlite3.Connection):
    """`watch` it once it is opened; a connection that is not watched is not looked at."""

    _path = ""
    _mark: tuple[int, int] | None = None
    _changes = 0

    def watch(self, path: str) -> None:
        self._path = path
        self.settle()

    @property
    def path(self) -> str:
        return self._path

    def settle(self) -> None:
        """What the file is now is our own doing."""
        if self._path:
            self._mark, self._changes = _mark_of(self._path), self.total_changes

    def is_overwritten(self) -> bool:
        """Whether somebody else wrote into the file since `settle`. What this connection wrote
        outside a transaction of `transaction` is told by its count of changes."""
        if not self._mark:
            return False
        found = _mark_of(self._path)
        if found in (None, self._mark):
            return False
        if self.total_changes == self._changes:
            return True
        self.settle()
        return False


def _mark_of(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:  # gone, or not to be told: others look after that
        return None
    return status.st_size, status.st_mtime_ns


def note(path: str, aside: str) -> None:
    """Tell the next start what happened. Without room it finds no database, and begins anew."""
    with contextlib.suppress(OSError), open(path + MARKER, "w", encoding="utf-8") as file:
        file.write(os.path.basename(aside))


def noted(path: str) -> str:
    """The file that was set aside, "" where there is none."""
    try:
        with open(path + MARKER, encoding="utf-8") as file:
            name = file.read()
    except OSError:
        return ""
    aside = os.path.join(os.path.dirname(path), os.path.basename(name))
    return aside if name and os.path.exists(aside) else ""


def forget(path: str) -> None:
    with contextlib.suppress(OSError):
        os.remove(path + MARKER)
