"""A small file is there whole or not at all, and never readable by others before it should be."""

from __future__ import annotations

import os
from pathlib import Path

from edgecore.disk.sync import sync_folder


def write_whole(
    path: Path, content: bytes, mode: int = 0o600, *, of_its_folders_owner: bool = False
) -> None:
    """Beside, synced, renamed; ``mode`` from its first byte on. Raises OSError.

    ``of_its_folders_owner``: root may write for a core that runs as another user.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
        if of_its_folders_owner:
            give_to_owner_of(path.parent, out.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def give_to_owner_of(folder: Path, file: Path | int) -> None:
    """Where root made it: who owns the folder must be able to read it. Raises OSError."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
