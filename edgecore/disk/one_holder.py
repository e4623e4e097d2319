"""A file that one process at a time holds; the kernel lets go when that ends, however it ends."""

from __future__ import annotations

import fcntl
from typing import IO, Any


def hold(file: IO[Any], taken: Exception) -> None:
    """Until it is closed. Raises ``taken``, the file closed, where another process holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise taken from None
