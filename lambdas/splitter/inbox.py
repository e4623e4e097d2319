"""The splitter's own folder in the images volume: names are made in it and reach the disk.

Others may write to the volume too, so nothing here follows a symbolic link. Folders are open
as long as a group of images is: one walk for all of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable

from contract.volumes import INBOX
from lambdas.common.paths import (
    PathError,
    explain,
    make_folder_inside,
    open_folder_in,
    open_folder_inside,
    split_inside,
)
from lambdas.splitter.durable import syncfs

FOLDER = INBOX
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
    """Paths are relative to `images_dir`; those of the inbox are `{FOLDER}/{stream}/{name}`."""

    def __init__(self, images_dir: str) -> None:
        self._root = images_dir
        self._open: dict[str, int] = {}
        # Folders whose names are on the disk, by device and inode: the volume may change.
        self._durable: set[tuple[int, int]] = set()
        self._sync_filesystem = syncfs()
        self._beside = ThreadPoolExecutor(1, "fanfold-sync")

    def link(self, name: str, relative: str) -> os.stat_result | None:
        """The camera's file gets a second name; its status, or None: here it gets none.

        Raises `PathError` for the file's own fault, `OSError` for the machine's.
        """
        parent, _, last = name.rpartition("/")
        source = self._folder(parent)
        target, own = self._place(relative)
        try:
            _link_again(last, own, source, target)
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) in CANNOT_LINK:
                return None
            raise explain(error, source, last, name) from None
        return os.stat(own, dir_fd=target, follow_symlinks=False)

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
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError:
            with contextlib.suppress(OSError):
                unlink(folder, name)
            raise

    def remove(self, relative: str) -> None:
        """A name of this group."""
        folder, name = self._place(relative)
        os.unlink(name, dir_fd=folder)

    def sync(self, group: list[str]) -> None:
        """These files of the inbox and their names reach the disk, where it can be by one call."""
        if len(group) > 1 and self._sync_filesystem:
            # The inbox is on one file system; a camera's folder may be a mount of its own.
            self._sync(self._place(group[0])[0], self._sync_filesystem)
            return
        # All names were made before: a file system's log takes names and files in one go.
        folders = sorted({os.path.dirname(relative) for relative in group})
        names = self._beside.submit(self._sync_folders, folders)
        try:
            self._sync_files(group)
        finally:
            failed = names.exception()
        if failed is not None:
            raise failed

    def _sync_files(self, group: list[str]) -> None:
        for relative in group:
            folder, name = self._place(relative)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
            try:
                self._sync(descriptor, os.fsync)
            finally:
                os.close(descriptor)

    def _sync_folders(self, folders: Iterable[str]) -> None:
        for folder in folders:
            self._sync(self._open[folder], os.fsync)
            status = os.fstat(self._open[folder])
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
        folders, self._open = self._open, {}
        for descriptor in folders.values():
            os.close(descriptor)

    def _folder(self, parent: str) -> int:
        if parent not in self._open:
            if parent:
                self._open[parent] = open_folder_inside(self._root, parent)
            else:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                self._open[parent] = os.open(self._root, flags)
        return self._open[parent]

    def _make(self, own: str) -> int:
        """One walk to the inbox for a group, however many streams it is of."""
        name = split_inside(own)[-1]
        if FOLDER not in self._open:
            self._open[FOLDER] = make_folder_inside(self._root, FOLDER)
        return open_folder_in(self._open[FOLDER], name, own, make=True)

    def _place(self, relative: str) -> tuple[int, str]:
        """The folder in the inbox and the name in it; the folder is made where it is not there."""
        own, _, name = relative.rpartition("/")
        if own not in self._open:
            try:
                self._open[own] = self._make(own)
            except PathError as error:
                raise OSError(errno.ELOOP, f"{own} must be a folder: {error.detail}") from None
        return self._open[own], name


def unlink(folder: int, name: str) -> None:
    try:  # noqa: SIM105 - once for every image: a context manager costs as much as the call
        os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, IsADirectoryError):
        pass


def _link_again(name: str, own: str, source: int, target: int) -> None:
    arguments = {"src_dir_fd": source, "dst_dir_fd": target, "follow_symlinks": False}
    try:
        os.link(name, own, **arguments)  # type: ignore[arg-type]
    except FileExistsError:  # a crash left it: what the journal names is never linked again
        os.unlink(own, dir_fd=target)
        os.link(name, own, **arguments)  # type: ignore[arg-type]
