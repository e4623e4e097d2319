"""Images that came inside a message, kept as files until their record is committed.

They lie in `.fanfold/inbox/{stream}/` of the images volume, whole or not at all: written
under another name, renamed, and synced as one group before the journal names them. The
last few of each stream stay for the dashboard.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import re
from collections import deque
from typing import Any, Callable

FOLDER = ".fanfold/inbox"
KEPT_PER_STREAM = 16
_UNFINISHED = ".part"
# syncfs(2) tells of failed writes since Linux 5.8; before, only fsync of each file does.
SYNCFS_TELLS_ERRORS = (5, 8)


class Inbox:
    def __init__(self, images_dir: str) -> None:
        self._root = images_dir
        # Written since the last commit, in order.
        self._group: list[str] = []
        self._kept: dict[str, deque[str]] = {}
        self._sync_filesystem = _syncfs()

    def write(self, stream: str, event_id: str, suffix: str, content: bytes) -> str:
        """Write one image; returns its path below the volume. `sync` makes it durable.

        Raises `OSError` where there is no room; then nothing is left behind.
        """
        name = hashlib.sha256(event_id.encode()).hexdigest()[:32] + suffix
        relative = f"{FOLDER}/{stream}/{name}"
        path = os.path.join(self._root, relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(path + _UNFINISHED, flags, 0o640), "wb") as file:
                file.write(content)
        except OSError:
            self._remove(relative + _UNFINISHED)
            raise
        os.replace(path + _UNFINISHED, path)
        self._group.append(relative)
        return relative

    def sync(self) -> None:
        """This group's files and their names reach the disk: one sync for all of them."""
        if not self._group:
            return
        folders = sorted({os.path.dirname(relative) for relative in self._group})
        if len(self._group) > 1 and self._sync_filesystem:
            # They share one file system: it is one volume.
            self._sync(folders[0], os.O_DIRECTORY, self._sync_filesystem)
            return
        for relative in self._group:
            self._sync(relative, 0, os.fsync)
        for folder in folders:
            self._sync(folder, os.O_DIRECTORY, os.fsync)

    def keep(self) -> None:
        """The journal names this group's files."""
        self._group.clear()

    def discard(self) -> None:
        """The journal did not take this group: on a full disk nothing may stay behind."""
        group, self._group = self._group, []
        for relative in group:
            self._remove(relative)

    def release(self, stream: str, relative: str) -> None:
        """The image at `relative` has its record; only the newest few are kept."""
        if not relative.startswith(FOLDER + "/"):
            return
        kept = self._kept.setdefault(stream, deque())
        kept.append(relative)
        while len(kept) > KEPT_PER_STREAM:
            self._remove(kept.popleft())

    def sweep(self, wanted: set[str]) -> None:
        """At start: what no accepted image names was never accepted, or is finished."""
        top = os.path.join(self._root, FOLDER)
        for folder, _, names in os.walk(top):
            for name in names:
                relative = os.path.relpath(os.path.join(folder, name), self._root)
                if relative not in wanted:
                    self._remove(relative)

    def _sync(self, relative: str, flags: int, sync: Callable[[int], Any]) -> None:
        descriptor = os.open(os.path.join(self._root, relative), os.O_RDONLY | flags)
        try:
            sync(descriptor)
        finally:
            os.close(descriptor)

    def _remove(self, relative: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self._root, relative))


def _syncfs() -> Callable[[int], Any] | None:
    """syncfs(2) where it can be relied on, else None. Python has no function for it."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if not release or tuple(map(int, release.groups())) < SYNCFS_TELLS_ERRORS:
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if function is None:
        return None

    def sync(descriptor: int) -> None:
        if function(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    return sync
