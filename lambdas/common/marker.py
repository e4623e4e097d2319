"""The images volume's own name: a file in it that tells it from any other folder.

After an unmount the path of a volume leads to the empty folder below it, where every file
is "not found". Device and inode numbers tell the two apart only until the next mount; the
identity in `.fanfold/volume` also afterwards.
"""

from __future__ import annotations

import errno
import os

from lambdas.common.paths import PathError, make_folder_inside, open_inside

FOLDER = ".fanfold"
PATH = f"{FOLDER}/volume"
MAX_BYTES = 64


def read_marker(root: str) -> str:
    """The identity of the volume at `root`; "" where there is none. Raises `OSError`."""
    try:
        descriptor, _ = open_inside(root, PATH, MAX_BYTES)
    except PathError:
        return ""
    try:
        return os.read(descriptor, MAX_BYTES).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)


def write_marker(root: str, identity: str) -> None:
    """Durable when this returns. Raises `OSError`."""
    try:
        folder = make_folder_inside(root, FOLDER)
    except PathError as error:
        raise OSError(errno.ELOOP, f"{root}/{FOLDER} must be a folder: {error.detail}") from None
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open("volume.part", flags, 0o644, dir_fd=folder)
        try:
            os.write(descriptor, f"{identity}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace("volume.part", "volume", src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)
    _sync_folder(root)  # where the folder's own name is


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require(root: str, identity: str) -> None:
    """Raises `OSError` where the volume of that identity is not at `root`; "": any is right."""
    if identity and read_marker(root) != identity:
        raise OSError(errno.ENODEV, f"the images volume is not mounted at {root}")
