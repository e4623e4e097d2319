"""The splitter's own folder in the images volume: names are made in it and reach the disk.

Others may write to the volume too, so nothing here follows a symbolic link. Folders are open
as long as a group of images is: one walk for all of them. The code from `link` on runs once for
every image, so it is written for few steps.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, Iterator, Sequence

from contract.messages import MAX_PATH_BYTES
from contract.volumes import INBOX, KEPT_IN_A_ROW, kept_folder
from lambdas.common.folders import Folders
from lambdas.common.paths import (
    NO_NAMES,
    PathError,
    explain,
    open_folder_inside,
    split_inside,
)
from lambdas.splitter.durable import syncfs

FOLDER = INBOX
# A manifest may name files of as many folders as it has files.
SOURCE_FOLDERS = 64
# Characters of at most four bytes.
SURELY_SHORT = MAX_PATH_BYTES // 4
# A file's sync that takes longer is worth a thread that syncs its folder at the same time.
SLOW_SYNC_S = 0.002
# No link here: another file system, one without links, the kernel's protected_hardlinks
# (a file of somebody else), or too many links already.
CANNOT_LINK = frozenset(
    (
        errno.EXDEV,
        errno.EPERM,
        errno.EACCES,
        errno.EMLINK,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.EINVAL,
    )
)


class Inbox:
    """Paths are relative to `images_dir`; those of the inbox are what `kept_name` says."""

    def __init__(self, images_dir: str) -> None:
        self._root = images_dir
        self._sources = Folders(images_dir, SOURCE_FOLDERS)
        self._own = Folders(images_dir)
        # Folders whose names are on the disk, by device and inode: the volume may change.
        self._durable: set[tuple[int, int]] = set()
        self._sync_filesystem = syncfs()
        self._beside = ThreadPoolExecutor(1, "fanfold-sync")
        # How long the last file's sync was waited for; of the first nobody knows.
        self._sync_s = float("inf")

    def link(self, name: str, relative: str) -> os.stat_result | None:
        """The camera's file gets a second name; its status, or None: here it gets none.

        Raises `PathError` for the file's own fault, `OSError` for the machine's.
        """
        parent, slash, last = name.rpartition("/")
        if len(name) > SURELY_SHORT or last in NO_NAMES or "\0" in last or (slash and not parent):
            split_inside(name)
        target, own = self._place(relative)
        source = self._sources.open(parent)
        try:
            os.link(last, own, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        except FileExistsError:  # a crash left it: what the journal names is never linked again
            os.unlink(own, dir_fd=target)
            os.link(last, own, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) in CANNOT_LINK:
                return None
            raise explain(error, source, last, name) from None
        return os.stat(own, dir_fd=target, follow_symlinks=False)

    def link_each(
        self, stream: str, first: int, names: Sequence[str]
    ) -> Iterator[tuple[str, os.stat_result]]:
        """As `link` for files that follow one another, with each one's own name. It ends before, or
        raises at, the first that is not as usual; a link may be left there for `link`."""
        target, parent, source = -1, None, -1
        for seq, name in enumerate(names, first):
            above, slash, last = name.rpartition("/")
            if last in NO_NAMES or len(name) > SURELY_SHORT or (slash and not above):
                return
            if target < 0 or seq % KEPT_IN_A_ROW == 0:
                folder = kept_folder(stream, seq)
                target = self._own.open(folder, make=True)
            if above != parent:
                parent, source = above, self._sources.open(above)
            own = f"{seq:012d}"
            os.link(last, own, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
            yield f"{folder}/{own}", os.stat(own, dir_fd=target, follow_symlinks=False)

    def write(self, relative: str, content: bytes) -> None:
        """A file of its own. Raises `OSError`; nothing is left behind then."""
        folder, name = self._place(relative)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, 0o640, dir_fd=folder)
        except FileExistsError:
            # What a crash, or somebody else, left under this name is not written into.
            unlink(folder, name)
            descriptor = os.open(name, flags, 0o640, dir_fd=folder)
        try:
            _write_all(descriptor, content)
        except OSError:
            with contextlib.suppress(OSError):
                unlink(folder, name)
            raise

    def remove(self, relative: str) -> None:
        """A name of this group."""
        folder, name = self._place(relative)
        os.unlink(name, dir_fd=folder)

    def drop(self, relative: str) -> None:
        """A name that may be there."""
        folder, name = self._place(relative)
        unlink(folder, name)

    def sync(self, group: list[str]) -> None:
        """These files of the inbox and their names reach the disk, where it can be by one call."""
        if len(group) > 1 and self._sync_filesystem:
            # The inbox is on one file system; a camera's folder may be a mount of its own.
            self._sync(self._place(group[0])[0], self._sync_filesystem)
            return
        # All names were made before: a file system's log takes names and files in one go.
        folders = sorted({os.path.dirname(relative) for relative in group})
        if self._sync_s < SLOW_SYNC_S:
            self._sync_files(group)
            self._sync_folders(folders)
            return
        names = self._beside.submit(self._sync_folders, folders)
        try:
            self._sync_files(group)
        finally:
            failed = names.exception()
        if failed is not None:
            raise failed

    def _sync_files(self, group: list[str]) -> None:
        begun = time.monotonic()
        for relative in group:
            folder, name = self._place(relative)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
            try:
                self._sync(descriptor, os.fsync)
            finally:
                os.close(descriptor)
        self._sync_s = (time.monotonic() - begun) / len(group)

    def _sync_folders(self, folders: Iterable[str]) -> None:
        for folder in folders:
            descriptor = self._own.open(folder)
            self._sync(descriptor, os.fsync)
            status = os.fstat(descriptor)
            identity = (status.st_dev, status.st_ino)
            if identity not in self._durable:
                self._sync_above(folder)
                self._durable.add(identity)

    def _sync_above(self, folder: str) -> None:
        """Once for each folder: its own name, and those above it."""
        above = os.path.dirname(folder)
        while above:
            descriptor = open_folder_inside(self._root, above)
            try:
                self._sync(descriptor, os.fsync)
            finally:
                os.close(descriptor)
            above = os.path.dirname(above)

    def _sync(self, descriptor: int, sync: Callable[[int], Any]) -> None:
        sync(descriptor)

    def close(self) -> None:
        """The group is done."""
        self._sources.close()
        self._own.close()

    def _place(self, relative: str) -> tuple[int, str]:
        """The folder in the inbox and the name in it; the folder is made where it is not there."""
        folder, _, name = relative.rpartition("/")
        try:
            return self._own.open(folder, make=True), name
        except PathError as error:
            raise OSError(errno.ELOOP, f"{folder} must be a folder: {error.detail}") from None


def _write_all(descriptor: int, content: bytes) -> None:
    """And close it. A file object would cost a quarter of what its writing does."""
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)


def unlink(folder: int, name: str) -> None:
    try:  # noqa: SIM105 - once for every image: a context manager costs as much as the call
        os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, IsADirectoryError):
        pass
