"""A small JSON file that the core and the command line both read and change, each in its process.

Readers see the old or the new content, whole; changes wait for one another; mode 0600.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgecore.disk.sync import sync_folder

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
                write_private(self.path, json.dumps({"v": 1, **content}, indent=1).encode())
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
            _as_the_folder(folder / "lock")
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise KeptFileError(f"{folder}: {error.strerror or error}") from error


def make_private(folder: Path) -> None:
    """The folder, 0700, of whoever owns the one above it. Raises OSError."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _as_the_folder(folder)


def write_private(path: Path, content: bytes) -> None:
    """Beside, synced, renamed; 0600, of its folder's owner. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    _as_the_folder(beside)
    beside.replace(path)
    sync_folder(path.parent)


def _as_the_folder(path: Path) -> None:
    """Root may act for a core that runs as another user, which must be able to read it."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
