"""Which errors are the disk's trouble, that may pass, and which a wrong place, that will not."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3

TROUBLE = frozenset(
    (
        errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.EMFILE,
        errno.ENFILE, errno.ENOMEM, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ETIMEDOUT,
    )
)  # fmt: skip
# What SQLite says of them; Python 3.8 does not tell which it was.
_SAID = ("disk I/O error", "full", "readonly database")
PROBE_BYTES = 64 << 10


def is_trouble(error: Exception, folder: str) -> bool:
    """Whether what cannot be opened in `folder` may be there again by itself."""
    if isinstance(error, OSError):
        return error.errno in TROUBLE
    if not isinstance(error, sqlite3.Error):
        return False
    if "unable to open" in str(error):
        return failing_of(folder) in TROUBLE
    return any(said in str(error) for said in _SAID)


def failing_of(folder: str) -> int:
    """The error of writing a little file there, and of syncing it; 0: it works."""
    probe = os.path.join(folder, f".space-{os.getpid()}")
    try:
        with open(probe, "wb", buffering=0) as file:
            file.write(bytes(PROBE_BYTES))
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno or errno.EIO
    else:
        return 0
    finally:
        with contextlib.suppress(OSError):
            os.remove(probe)
