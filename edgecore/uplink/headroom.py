"""Space that a full disk cannot take away from the spool.

In WAL mode a commit is not the end: its pages still have to be copied into the database
file, and if that file cannot grow the log never empties and nothing can be deleted any
more. So the file grows only while the disk has room to spare, and a reserve file is
given up when the disk fills at the wrong moment.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MARGIN_BYTES = 1 << 20
RESERVE_BYTES = 1 << 20


class Headroom:
    def __init__(self, database: Path) -> None:
        self._folder = database.parent
        self._folder.mkdir(parents=True, exist_ok=True)
        self._reserve = database.with_name(f"{database.name}.reserve")
        self.hold()

    def spare_bytes(self) -> int:
        """What the database file may grow by: half, since the log holds a page as well."""
        disk = os.statvfs(self._folder)
        return max(0, (disk.f_bavail * disk.f_frsize - MARGIN_BYTES) // 2)

    def hold(self) -> None:
        """Take the reserve (again) when the disk has plenty."""
        if self._reserve.exists() or self.spare_bytes() < RESERVE_BYTES:
            return
        with contextlib.suppress(OSError), self._reserve.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def release(self) -> None:
        self._reserve.unlink(missing_ok=True)
