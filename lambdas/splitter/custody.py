"""What was accepted is ours: every image has a name of its own here until its record is committed.

`.fanfold/inbox/{stream}/{seq}` of the images volume is a hard link to the camera's file,
which no renaming, replacing or deleting by the camera can change; a copy where the volume
cannot link, where the site asks for copies, or where the camera is known to write into the
same file again; or the file of an image that came inside a message. A group is synced
before the journal names it and before anything is answered.

Others may write to the volume too, so nothing here follows a symbolic link: neither what
is written nor what is removed can lie outside.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections import OrderedDict, deque
from typing import Any, Callable, Iterable, NamedTuple

from lambdas.common.log import Throttle, get_logger
from lambdas.common.paths import (
    PathError,
    check_file,
    explain,
    make_folder_inside,
    open_folder_inside,
    open_inside,
)
from lambdas.splitter.durable import syncfs
from lambdas.splitter.intake import MAX_IMAGE_BYTES

FOLDER = ".fanfold/inbox"
# Of images that came inside messages the newest stay for the dashboard.
KEPT_PER_STREAM = 16
# Paths whose file is remembered, to know a camera that writes into the same file again.
REMEMBERED_PATHS = 4_096
COPY_ATTEMPTS = 3
TIDY_EVERY_S = 10.0
# No link here: another file system, one without links, the kernel's protected_hardlinks
# (a file of somebody else), or too many links already.
_CANNOT_LINK = frozenset(
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
FULL = frozenset((errno.ENOSPC, errno.EDQUOT))

_log = get_logger("splitter")


class Taken(NamedTuple):
    """One image in custody. `stat`: size, mtime_ns and inode that the worker checks, 0 where it
    does not; `digest`: SHA-256 where the bytes were read; `mark`: of the camera's file."""

    kept: str
    stat: tuple[int, int, int]
    digest: str
    mark: str


class Custody:
    def __init__(self, images_dir: str, mode: str = "link", max_bytes: int = 0) -> None:
        """`mode`: "link" or "copy"; `max_bytes`: quota of what is held, 0: the disk's own."""
        self._root = images_dir
        self._copies = mode == "copy"
        self._max_bytes = max_bytes
        # Taken since the last commit, in order; folders are open as long as the group is.
        self._group: list[tuple[str, int]] = []
        self._folders: dict[str, int] = {}
        self._made: set[str] = set()
        self._seen: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._kept: dict[str, deque[str]] = {}
        self._leave: list[str] = []
        self._tidy_at = 0.0
        self._sync_filesystem = syncfs()
        self._throttle = Throttle(60.0)
        self.held_bytes = 0
        self.copied = 0

    # Taking

    def take_bytes(self, stream: str, seq: int, suffix: str, content: bytes) -> Taken:
        """An image that came inside a message. Raises `OSError`; nothing is left behind then."""
        relative = f"{FOLDER}/{stream}/{seq:012d}{suffix}"
        self._check_quota(len(content))
        self._write(stream, relative, content)
        digest = hashlib.sha256(content).hexdigest()
        return self._taken(relative, (len(content), 0, 0), digest, digest)

    def take_file(self, stream: str, seq: int, name: str) -> Taken:
        """A file of the camera's. Raises `PathError` for its own fault, `OSError` for the
        machine's; nothing is left behind then."""
        relative = f"{FOLDER}/{stream}/{seq:012d}"
        status = None if self._copies else self._link(stream, relative, name)
        if status is None:
            return self._copy(stream, relative, name)
        self._remember(name, status)
        stat = (status.st_size, status.st_mtime_ns, status.st_ino)
        return self._taken(relative, stat, "", mark_of(status))

    def _link(self, stream: str, relative: str, name: str) -> os.stat_result | None:
        """Link it and look at what was linked; None: it is to be copied."""
        parent, _, last = name.rpartition("/")
        source = self._folder(parent)
        target = self._own_folder(stream)
        own = relative.rpartition("/")[2]
        try:
            _link_again(last, own, source, target)
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) in _CANNOT_LINK:
                return None
            raise explain(error, source, last, name) from None
        status = os.stat(own, dir_fd=target, follow_symlinks=False)
        try:
            check_file(status, name, MAX_IMAGE_BYTES)
        except PathError:
            os.unlink(own, dir_fd=target)
            # A symbolic link is linked as it is; the walk says so in its own words.
            os.close(open_inside(self._root, name, MAX_IMAGE_BYTES)[0])
            raise
        if self._written_into(name, status):
            os.unlink(own, dir_fd=target)
            return None
        self._check_quota(status.st_size, own, target)
        return status

    def _copy(self, stream: str, relative: str, name: str) -> Taken:
        for _ in range(COPY_ATTEMPTS):
            descriptor, before = open_inside(self._root, name, MAX_IMAGE_BYTES)
            with open(descriptor, "rb", buffering=0) as file:
                self._check_quota(before.st_size)
                content = _read_all(file)
                after = os.fstat(descriptor)
            if mark_of(before) == mark_of(after) and len(content) == after.st_size:
                self._write(stream, relative, content)
                self._remember(name, before)
                self.copied += 1
                digest = hashlib.sha256(content).hexdigest()
                return self._taken(relative, (len(content), 0, 0), digest, mark_of(before))
        raise OSError(errno.EBUSY, f"{name!r:.200} is being written")

    def _taken(self, relative: str, stat: tuple[int, int, int], digest: str, mark: str) -> Taken:
        self._group.append((relative, stat[0]))
        self.held_bytes += stat[0]
        return Taken(relative, stat, digest, mark)

    def _remember(self, name: str, status: os.stat_result) -> None:
        self._seen[name] = (status.st_ino, mark_of(status))
        self._seen.move_to_end(name)
        if len(self._seen) > REMEMBERED_PATHS:
            self._seen.popitem(last=False)

    def _written_into(self, name: str, status: os.stat_result) -> bool:
        """The same file under this name again, with other content: its camera does not replace
        it, and a link would share whatever is written next."""
        inode, mark = self._seen.get(name, (0, ""))
        return inode == status.st_ino and mark != mark_of(status)

    def _check_quota(self, size: int, own: str = "", folder: int = -1) -> None:
        if not self._max_bytes or self.held_bytes + size <= self._max_bytes:
            return
        if own:
            os.unlink(own, dir_fd=folder)
        raise OSError(errno.EDQUOT, f"custody holds {self.held_bytes} of {self._max_bytes} bytes")

    # A group

    def sync(self) -> None:
        """This group's files and their names reach the disk: one sync for all of them."""
        if not self._group:
            return
        try:
            self._sync_group()
        except OSError as error:
            if error.errno not in FULL and not self._copies:
                # The kernel tells of a failed write once; the next sync of the same pages would
                # succeed and mean nothing. A copy has pages of its own.
                self._copies = True
                _log.error("custody by copies from now on, a sync failed: %s", error)
            raise

    def _sync_group(self) -> None:
        if len(self._group) > 1 and self._sync_filesystem:
            # They share one file system: it is one volume.
            self._sync(next(iter(self._folders.values())), self._sync_filesystem)
            return
        folders = {os.path.dirname(relative) for relative, _ in self._group}
        for relative, _ in self._group:
            parent, _, name = relative.rpartition("/")
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=self._folders[parent])
            try:
                self._sync(descriptor, os.fsync)
            finally:
                os.close(descriptor)
        for folder in sorted(folders):
            self._sync(self._folders[folder], os.fsync)
            if folder not in self._made:
                self._sync_above(folder)
                self._made.add(folder)

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

    def group_size(self) -> int:
        return len(self._group)

    def keep(self) -> None:
        """The journal names this group's files."""
        self._group.clear()
        self._close_folders()

    def discard(self, since: int = 0) -> None:
        """The journal does not take this group, from its n-th on: nothing may stay behind."""
        dropped, self._group = self._group[since:], self._group[:since]
        for relative, size in dropped:
            self.held_bytes -= size
            self._leave.append(relative)
        self._tidy()
        if not self._group:
            self._close_folders()

    # Letting go

    def holds(self, item: dict[str, Any]) -> None:
        """At start: an image of the journal's."""
        self.held_bytes += _size(item)

    def release(self, item: dict[str, Any]) -> None:
        """The image has its record. `tidy` removes its file, once that is in the journal."""
        self.held_bytes = max(0, self.held_bytes - _size(item))
        kept = item.get("kept")
        if kept is not None:
            self._leave.append(kept)
        elif item.get("file", "").startswith(FOLDER + "/"):
            shown = self._kept.setdefault(item["stream"], deque())
            shown.append(item["file"])
            while len(shown) > KEPT_PER_STREAM:
                self._leave.append(shown.popleft())

    def tidy(self, now: float) -> None:
        """Remove what was released; what cannot be removed now is tried again later."""
        if self._leave and now >= self._tidy_at:
            self._tidy()
            if self._leave:
                self._tidy_at = now + TIDY_EVERY_S

    @property
    def untidy(self) -> int:
        """Files that should be gone and are not yet."""
        return len(self._leave)

    def _tidy(self) -> None:
        leave, self._leave = self._leave, []
        folders: dict[str, int] = {}
        try:
            for relative in leave:
                self._remove(relative, folders)
        finally:
            for folder in folders.values():
                os.close(folder)

    def _remove(self, relative: str, folders: dict[str, int]) -> None:
        parent, _, name = relative.rpartition("/")
        try:
            if parent not in folders:
                folders[parent] = open_folder_inside(self._root, parent)
            _unlink(folders[parent], name)
        except PathError:  # not there, or a link: nothing of ours is in it
            return
        except OSError as error:
            self._leave.append(relative)
            if self._throttle.due("tidy") is not None:
                _log.warning("%s is not removed, tried again later: %s", relative, error)

    def sweep(self, wanted: set[str]) -> None:
        """What no accepted image names was never accepted, or is finished. Raises `OSError`."""
        try:
            top = open_folder_inside(self._root, FOLDER)
        except PathError:  # not there, or a link: nothing of ours is in it
            return
        try:
            # `fwalk` enters no symbolic link.
            for folder, _, names, _ in os.fwalk(".", dir_fd=top, onerror=_raise):
                paths = (os.path.normpath(f"{FOLDER}/{folder}/{name}") for name in names)
                self._leave += [path for path in paths if path not in wanted]
        finally:
            os.close(top)

    # Folders

    def _folder(self, parent: str) -> int:
        if parent not in self._folders:
            if parent:
                self._folders[parent] = open_folder_inside(self._root, parent)
            else:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                self._folders[parent] = os.open(self._root, flags)
        return self._folders[parent]

    def _own_folder(self, stream: str) -> int:
        own = f"{FOLDER}/{stream}"
        if own not in self._folders:
            try:
                self._folders[own] = make_folder_inside(self._root, own)
            except PathError as error:
                raise OSError(errno.ELOOP, f"{own} must be a folder: {error.detail}") from None
        return self._folders[own]

    def _close_folders(self) -> None:
        folders, self._folders = self._folders, {}
        for descriptor in folders.values():
            os.close(descriptor)

    def _write(self, stream: str, relative: str, content: bytes) -> None:
        folder, name = self._own_folder(stream), relative.rpartition("/")[2]
        # What a crash, or somebody else, left under this name is not written into.
        _unlink(folder, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(name, flags, 0o640, dir_fd=folder), "wb") as file:
                file.write(content)
        except OSError:
            with contextlib.suppress(OSError):
                _unlink(folder, name)
            raise


def mark_of(status: os.stat_result) -> str:
    """What tells one content of a file from the next without reading it."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def marks_digest(marks: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(marks).encode()).hexdigest()[:32]


def _size(item: dict[str, Any]) -> int:
    stat = item.get("stat")
    return int(stat[0]) if stat else 0


def _link_again(name: str, own: str, source: int, target: int) -> None:
    arguments = {"src_dir_fd": source, "dst_dir_fd": target, "follow_symlinks": False}
    try:
        os.link(name, own, **arguments)  # type: ignore[arg-type]
    except FileExistsError:  # a crash left it: what the journal names is never linked again
        os.unlink(own, dir_fd=target)
        os.link(name, own, **arguments)  # type: ignore[arg-type]


def _read_all(file: Any) -> bytes:
    content = b""
    while len(content) <= MAX_IMAGE_BYTES:
        more = file.read(MAX_IMAGE_BYTES)
        if not more:
            break
        content += more
    return content


def _unlink(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(name, dir_fd=folder)


def _raise(error: OSError) -> None:
    raise error
