"""How much room there is, once per file system."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from contract.status import DiskStatus


def disks(paths: Mapping[str, str]) -> list[DiskStatus]:
    """``paths``: use → path. Uses on one file system are one entry; what is not there is none."""
    found: dict[int, DiskStatus] = {}
    for use, path in paths.items():
        try:
            device, room = Path(path).stat().st_dev, os.statvfs(path)
        except OSError:
            continue
        if device in found:
            found[device]["use"] += f", {use}"
            continue
        # Reserved blocks are root's to use.
        free = room.f_bfree if os.geteuid() == 0 else room.f_bavail
        found[device] = {
            "use": use,
            "path": path,
            "free_bytes": free * room.f_frsize,
            "size_bytes": room.f_blocks * room.f_frsize,
            "read_only": bool(room.f_flag & os.ST_RDONLY),
            "files": room.f_files,
            "free_files": room.f_ffree if os.geteuid() == 0 else room.f_favail,
        }
    return list(found.values())


def is_full(error: OSError) -> bool:
    """No room on a disk, or in what a user may have of it: what is freed mends it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def used_share(disk: DiskStatus) -> float | None:
    """0 to 1; None for a file system that has no size, such as /proc."""
    return 1 - disk["free_bytes"] / disk["size_bytes"] if disk["size_bytes"] else None
