"""Opening files that a message names, without leaving the volume.

The path is walked one component at a time with `O_NOFOLLOW` relative to the folder
before it, so a symbolic link, however it got there and whenever it is swapped in,
leads nowhere. What is opened is a regular file or nothing: a FIFO would block its
reader for ever, a device might be worse.

Two kinds of errors leave this module. `PathError` is the file's own fault. `OSError` is the
machine's (a volume that is away, EIO, no descriptor, no memory): it says nothing about the
file, so nobody may make a record of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Callable, Sequence

from contract.messages import MAX_PATH_BYTES

# What open(2) says of a name or of what lies there. ENXIO is what a socket says; EACCES and
# EPERM are a file that this function may not read.
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_UNFIT = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES, errno.EPERM, errno.EINVAL)
#: O_NONBLOCK: opening or reading a FIFO must return, to be refused.
FOR_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: What is no name of a file or folder.
NO_NAMES = frozenset(("", ".", ".."))


class PathError(ValueError):
    """`reason`: outside_volume, not_found, not_a_file, too_large or changed (closed sets of
    the spec)."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def open_inside(root: str, relative: str, max_bytes: int) -> tuple[int, os.stat_result]:
    """A read-only descriptor (the caller closes it) and its status.

    `relative` is `/`-separated, below `root`; empty and `.` components are refused with
    `..`: a path has one spelling. Raises `PathError`, and `OSError` for the machine's troubles.
    """
    descriptor = _open_below(root, relative)
    try:
        status = os.fstat(descriptor)
        check_file(status, relative, max_bytes)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


def _open_below(root: str, relative: str) -> int:
    parts = split_inside(relative)
    folder = _descend(root, parts[:-1], relative)
    try:
        return _open_at(folder, parts[-1], FOR_READING, relative)
    finally:
        os.close(folder)


def open_folder_inside(root: str, relative: str) -> int:
    """A descriptor of a folder below `root` (the caller closes it); errors as above."""
    return _descend(root, split_inside(relative), relative)


def make_folder_inside(root: str, relative: str) -> int:
    """As `open_folder_inside`, and makes the folders that are not there."""
    parts = split_inside(relative)
    return _descend(root, parts, relative, make=True)


def stat_inside(root: str, relative: str, max_bytes: int) -> os.stat_result:
    """Status of a file that `open_inside` would open; the same errors."""
    descriptor, status = open_inside(root, relative, max_bytes)
    os.close(descriptor)
    return status


def read_inside(
    root: str,
    relative: str,
    max_bytes: int,
    accepted: Sequence[int] | None = None,
    open_folder: Callable[[str], int] | None = None,
) -> bytes:
    """The whole file, of at most `max_bytes`, also if it grows while it is read.

    `accepted`: size in bytes, mtime in nanoseconds and inode at acceptance (0: not checked).
    A file that is another one, before or after it was read, is a `PathError`, `changed`.
    `open_folder`: gives a descriptor, that stays its own, of the folder (`Folders.open`).
    """
    if open_folder is None:
        descriptor = _open_below(root, relative)
    else:
        folder, slash, name = relative.rpartition("/")
        if name in NO_NAMES or "\0" in name or (slash and not folder):
            split_inside(relative)
        descriptor = _open_at(open_folder(folder), name, FOR_READING, relative)
    try:
        if accepted is not None:
            return _read_accepted(descriptor, accepted, relative, max_bytes)
        status = os.fstat(descriptor)
        check_file(status, relative, max_bytes)
        return _read(descriptor, status.st_size, relative, max_bytes)
    finally:
        os.close(descriptor)


def _read_accepted(
    descriptor: int, accepted: Sequence[int], relative: str, max_bytes: int
) -> bytes:
    """One look, when it has been read: whoever wrote before or meanwhile has left another size or
    mtime, and which file is open does not change."""
    size, trouble = accepted[0], None
    try:
        content = b"" if size > max_bytes else _read_up_to(descriptor, size + 1)
    except OSError as error:  # of a folder, say, or the machine's
        content, trouble = b"", error
    status = os.fstat(descriptor)
    check_file(status, relative, max_bytes)
    check_same(status, accepted, relative)
    if trouble is not None:
        raise trouble
    if len(content) != size:
        raise PathError("changed", f"{relative!r:.200} changed while it was read")
    return content


def _read_up_to(descriptor: int, most: int) -> bytes:
    """The file's beginning; one byte more than it has tells its end without another call."""
    content = os.read(descriptor, most)
    while content and len(content) < most - 1:
        more = os.read(descriptor, most - len(content))
        if not more:
            break
        content += more
    return content


def _read(descriptor: int, size: int, relative: str, max_bytes: int) -> bytes:
    # Memory for what is asked is taken at once, so ask for the file's size. One byte
    # more tells the end without another call.
    content = os.read(descriptor, size + 1)
    if len(content) == size:
        return content
    while len(content) <= max_bytes:
        more = os.read(descriptor, max_bytes + 1 - len(content))
        if not more:
            return content
        content += more
    raise PathError("too_large", f"{relative!r:.200} has more than {max_bytes} bytes")


def check_same(status: os.stat_result, accepted: Sequence[int], relative: str) -> None:
    """Raises `PathError`, `changed`: not the file that was accepted, or not as it was."""
    found = (status.st_size, status.st_mtime_ns, status.st_ino)
    if found == tuple(accepted):
        return
    for what, now, then in zip(("size", "mtime", "inode"), found, accepted):
        if then and now != then:
            raise PathError(
                "changed",
                f"{relative!r:.200} was written again after it was accepted: "
                f"its {what} is {now}, was {then}",
            )


def split_inside(relative: str) -> tuple[str, ...]:
    """The components of a path that stays inside by its spelling alone, else `PathError`."""
    parts = tuple(relative.split("/"))
    if path_bytes(relative) > MAX_PATH_BYTES:
        raise PathError("outside_volume", f"path has more than {MAX_PATH_BYTES} bytes")
    if "\0" in relative or not NO_NAMES.isdisjoint(parts):
        raise PathError(
            "outside_volume",
            f"{relative!r:.200}: give a path below the images volume, without empty, '.' or '..'",
        )
    return parts


def path_bytes(path: str) -> int:
    """Its length in UTF-8."""
    return len(path) if path.isascii() else len(path.encode("utf-8", "surrogatepass"))


def explain(error: Exception, folder: int, name: str, relative: str) -> Exception:
    """The `PathError` that a failed call on `name` in `folder` means, or the error itself."""
    code = getattr(error, "errno", None)
    if code in (errno.ELOOP, errno.ENOTDIR) and _is_link(folder, name):
        return PathError("outside_volume", f"{relative!r:.200}: {name!r:.80} is a symbolic link")
    if code in _MISSING or isinstance(error, UnicodeError):
        return PathError("not_found", f"{relative!r:.200} is not in the images volume")
    if code in _UNFIT:
        return PathError("not_a_file", f"{relative!r:.200}: {os.strerror(code)}")
    return error


def check_file(status: os.stat_result, relative: str, max_bytes: int) -> None:
    """Raises `PathError` for what is no regular file of at most `max_bytes`."""
    if not stat.S_ISREG(status.st_mode):
        raise PathError("not_a_file", f"{relative!r:.200} is not a regular file")
    if status.st_size > max_bytes:
        raise PathError(
            "too_large", f"{relative!r:.200} has {status.st_size} bytes, limit {max_bytes}"
        )


def _descend(root: str, parts: tuple[str, ...], relative: str, make: bool = False) -> int:
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in parts:
        try:
            inner = open_folder_in(folder, part, relative, make)
        finally:
            os.close(folder)
        folder = inner
    return folder


def open_folder_in(folder: int, name: str, relative: str, make: bool = False) -> int:
    """A descriptor of folder `name` of the open one; `relative` is its path, for errors.

    `make`: it is made where it is not there. Errors as above.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return _open_at(folder, name, flags, relative)
    except PathError as error:
        if not make or error.reason != "not_found":
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
    return _open_at(folder, name, flags, relative)


def _open_at(folder: int, name: str, flags: int, relative: str) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except (OSError, UnicodeError) as error:
        raise explain(error, folder, name, relative) from None


def _is_link(folder: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False
