"""Images that came inside a message, kept as files until their record is committed.

They lie in `.fanfold/inbox/{stream}/` of the images volume, whole or not at all: written
under another name, renamed, and synced as one group before the journal names them. The
last few of each stream stay for the dashboard.

Others may write to the volume too, so nothing here follows a symbolic link: neither what
is written nor what is removed can lie outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import re
from collections import deque
from typing import Any, Callable

from contract.volumes import INBOX
from lambdas.common.paths import PathError, make_folder_inside, open_folder_inside

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

        Raises `OSError` where there is no room, or no way in; then nothing is left behind.
        """
        name = hashlib.sha256(event_id.encode()).hexdigest()[:32] + suffix
        relative = f"{INBOX}/{stream}/{name}"
        try:
            folder = make_folder_inside(self._root, os.path.dirname(relative))
        except PathError as error:
            raise OSError(errno.ELOOP, f"the inbox must be a folder: {error.detail}") from None
        try:
            _write(folder, name + _UNFINISHED, content)
            os.replace(name + _UNFINISHED, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            _unlink(folder, name + _UNFINISHED)
            raise
        finally:
            os.close(folder)
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
        if not relative.startswith(INBOX + "/"):
            return
        kept = self._kept.setdefault(stream, deque())
        kept.append(relative)
        while len(kept) > KEPT_PER_STREAM:
            self._remove(kept.popleft())

    def sweep(self, wanted: set[str]) -> None:
        """At start: what no accepted image names was never accepted, or is finished."""
        try:
            top = open_folder_inside(self._root, INBOX)
        except (PathError, OSError):  # not there, or a link: nothing of ours is in it
            return
        try:
            # `fwalk` enters no symbolic link, and what is removed is named from its folder.
            for folder, _, names, descriptor in os.fwalk(".", dir_fd=top):
                for name in names:
                    if os.path.normpath(f"{INBOX}/{folder}/{name}") not in wanted:
                        _unlink(descriptor, name)
        finally:
            os.close(top)

    def _sync(self, relative: str, flags: int, sync: Callable[[int], Any]) -> None:
        descriptor = os.open(os.path.join(self._root, relative), os.O_RDONLY | flags)
        try:
            sync(descriptor)
        finally:
            os.close(descriptor)

    def _remove(self, relative: str) -> None:
        parent, _, name = relative.rpartition("/")
        try:
            folder = open_folder_inside(self._root, parent)
        except (PathError, OSError):  # not there, or a link: nothing of ours is in it
            return
        try:
            _unlink(folder, name)
        finally:
            os.close(folder)


def _write(folder: int, name: str, content: bytes) -> None:
    # What a crash, or somebody else, left under this name is not written into.
    _unlink(folder, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o640, dir_fd=folder), "wb") as file:
        file.write(content)


def _unlink(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(name, dir_fd=folder)


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
