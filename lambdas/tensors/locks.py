"""Locks on single bytes of a file, held by an open file and not by a process.

Linux gives them back when the holder's file is closed, however its process ended, and
processes in different containers see them where they see the file. The bytes need not
exist. Open file description locks: fcntl(2).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

# include/uapi/asm-generic/fcntl.h; Python's fcntl names them from 3.9 on.
F_OFD_GETLK = 36
F_OFD_SETLK = 37
# struct flock with 64-bit offsets: type, whence, start, length, pid (0 for these locks).
_FLOCK = struct.Struct("hhqqi4x")


def hold(fd: int, byte: int) -> bool:
    """Take the lock at once; False where another open file has it. `fd`: open for writing."""
    try:
        fcntl.fcntl(fd, F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def release(fd: int, byte: int) -> None:
    fcntl.fcntl(fd, F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, byte, 1, 0))


def held(fd: int, byte: int) -> bool:
    """Whether another open file has the lock."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    kind: int = _FLOCK.unpack(fcntl.fcntl(fd, F_OFD_GETLK, asked))[0]
    return kind != fcntl.F_UNLCK
