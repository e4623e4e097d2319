"""Databases that were replaced or removed while somebody has them open.

A backup put back beside a running process changes nothing for it: it goes on with the file that it
has open, and what it remembers from then on is gone at the next start.
"""

from __future__ import annotations

import os

from contract.durable.aside import SET_ASIDE

DATABASE = ".sqlite3"
LOG, INDEX = "-wal", "-shm"


class Replaced:
    """Looks at the databases of one folder; what it has found once stays until the process ends."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._inodes: dict[str, int] = {}
        self._found: dict[str, None] = {}
        # An owner makes it when it has opened its own.
        self.look()

    @property
    def paths(self) -> list[str]:
        return list(self._found)

    def look(self) -> list[str]:
        """Paths that are news."""
        try:
            with os.scandir(self._folder) as entries:
                found = {e.name: e.inode() for e in entries if DATABASE in e.name}
        except FileNotFoundError:  # removed with all that was in it
            found = {}
        except OSError:  # a folder that cannot be read tells nothing of its files
            return []
        inodes = {name: inode for name, inode in found.items() if _is_kept_open(name, found)}
        # Its owner sets a damaged file aside, and goes on with a new one.
        aside = {inode for name, inode in found.items() if f"{DATABASE}{SET_ASIDE}" in name}
        gone = [n for n, inode in self._inodes.items() if inodes.get(n) != inode not in aside]
        # A log is new where its database is, and goes where that is closed.
        gone = [n for n in gone if not n.endswith(LOG) or self._is_left(n[: -len(LOG)], inodes)]
        self._inodes = inodes
        news = [f"{self._folder}/{name}" for name in gone]
        self._found.update(dict.fromkeys(news))
        return news

    def _is_left(self, name: str, inodes: dict[str, int]) -> bool:
        return name in inodes and inodes[name] == self._inodes.get(name)


def _is_kept_open(name: str, found: dict[str, int]) -> bool:
    """A database, or the log of one that a single owner has open until it ends: it has no index
    beside it (`Format.shared`). The last one of several to close a database removes its log."""
    if name.endswith(LOG):
        database = name[: -len(LOG)]
        return database.endswith(DATABASE) and database + INDEX not in found
    return name.endswith(DATABASE)
