"""A small JSON file that the core and the command line both read and change, each in its process.

Readers see the old or the new content, whole; changes wait for one another; mode 0600.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgecore.disk.whole_file import give_to_owner_of, write_whole

FOLDER = "people"


class KeptFileError(Exception):
    """The file is there and cannot be used; says which, why, and what to do."""


class KeptFile:
    """One JSON object. ``read`` costs a ``stat`` while nothing changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._content: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """Empty where there is none. Raises KeptFileError."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._seen, self._content = None, {}
            return self._content
        except OSError as error:
            raise KeptFileError(f"{self.path}: {error.strerror}") from error
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._content = self._load()
            self._seen = seen
        return self._content

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Read, ``change`` in place, write durably. Raises KeptFileError and what it raises."""
        with locked(self.path.parent):
            self._seen = None
            content = self.read()
            try:
                change(content)
            except BaseException:
                self._seen = None  # half a change is not what the file says
                raise
            try:
                text = json.dumps({"v": 1, **content}, indent=1)
                write_whole(self.path, text.encode(), of_its_folders_owner=True)
            except OSError as error:
                self._seen = None
                raise KeptFileError(f"{self.path}: {error.strerror}; nothing changed") from error

    def _load(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_bytes())
        except OSError as error:
            raise KeptFileError(f"{self.path}: {error.strerror}") from error
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict) or content.get("v") != 1:
            raise KeptFileError(
                f"{self.path}: not a file of this version; put a backup back, or remove it and "
                "begin again (fanfold user add)"
            )
        return content


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time; the kernel lets go when it ends. Raises KeptFileError."""
    try:
        make_private(folder)
        with (folder / "lock").open("a") as stream:
            give_to_owner_of(folder, folder / "lock")
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise KeptFileError(f"{folder}: {error.strerror or error}") from error


def make_private(folder: Path) -> None:
    """The folder, 0700, of whoever owns the one above it. Raises OSError."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        give_to_owner_of(folder.parent, folder)
