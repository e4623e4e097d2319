"""From the page cache to the disk: one call for a whole group of files where that can be."""

from __future__ import annotations

import ctypes
import os
import re
from typing import Any, Callable

# syncfs(2) tells of failed writes since Linux 5.8; before, only fsync of each file does.
SYNCFS_TELLS_ERRORS = (5, 8)


def syncfs() -> Callable[[int], Any] | None:
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
