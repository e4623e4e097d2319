"""The folder in shared memory that transform and inference functions of one site share.

    {transform}.ring   its tensors
    {transform}.fifo   a wake-up FIFO: a slot of its ring is finished
    {worker}.lease     the lease file of an inference function that is ready
    tensors.fifo       a wake-up FIFO with one byte for each tensor that waits

A wake-up saves waiting, nothing more: who misses one looks again within `LOOK_AGAIN_S`.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import struct
import zlib

from lambdas.tensors import locks
from lambdas.tensors.ring import RingError, identity

LOOK_AGAIN_S = 0.25
TENSORS_FIFO = "tensors"
_LIVENESS_BYTE = 0
_LEASE = struct.Struct("QQ")
#: Incarnations before this one, the latest first, and how they ended: enough for whoever looks
#: seldom.
_EARLIER = struct.Struct("4Q")
_CRASHED = 1 << 16


def short_incarnation(incarnation: str) -> int:
    """16 bits that tell one incarnation of a worker from another; 0 is nobody's."""
    return zlib.crc32(incarnation.encode()) % 0xFFFF + 1


def ring_path(shm_dir: str, transform: str) -> str:
    return os.path.join(shm_dir, f"{transform}.ring")


def lease_path(shm_dir: str, worker: str) -> str:
    return os.path.join(shm_dir, f"{worker}.lease")


class Folder:
    """Made by whoever comes first; refused where it is not this user's own."""

    def __init__(self, path: str) -> None:
        self.path = path
        parent = os.path.dirname(path)
        if not os.path.isdir(parent):
            raise RingError(f"FANFOLD_SHM_DIR={path}: there is no {parent}; mount a tmpfs there")
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise RingError(
                f"FANFOLD_SHM_DIR={path} is not a folder of user {os.geteuid()}: remove it"
            )
        if status.st_mode & 0o022:
            raise RingError(f"FANFOLD_SHM_DIR={path} can be written by other users: remove it")

    def ring(self, transform: str) -> str:
        return ring_path(self.path, transform)

    def lease(self, worker: str) -> str:
        return lease_path(self.path, worker)

    def fifo(self, name: str) -> WakeFifo:
        return WakeFifo(os.path.join(self.path, f"{name}.fifo"))

    def sweep_halves(self, transform: str) -> None:
        """Remove what earlier incarnations of this transform function did not finish making."""
        for name in os.listdir(self.path):
            if name.startswith(f"{transform}.ring."):
                remove(os.path.join(self.path, name))

    def sweep_others(self, transforms: tuple[str, ...]) -> None:
        """Remove the rings of transform functions that the group no longer has."""
        for name in os.listdir(self.path):
            transform, _, kind = name.partition(".")
            if kind == "ring" and transform not in transforms:
                remove(os.path.join(self.path, name))


class WakeFifo:
    """A named pipe: several processes may write a wake-up and several may wait for one."""

    def __init__(self, path: str) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Open for both: then no opening waits, and no writing meets a pipe without a reader.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        if not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise RingError(f"{path} is not a pipe: remove it")

    def wake(self) -> None:
        # 65,536 wake-ups that nobody has taken yet are enough.
        with contextlib.suppress(BlockingIOError):
            os.write(self._fd, b"\1")

    def is_woken_within(self, timeout_s: float) -> bool:
        """Whether there was a wake-up within the time; takes one."""
        ready, _, _ = select.select([self._fd], [], [], timeout_s)
        return bool(ready) and self.take(1) > 0

    def take(self, count: int) -> int:
        """Take up to `count` wake-ups without waiting; returns how many there were."""
        try:
            return len(os.read(self._fd, count))
        except BlockingIOError:
            return 0

    def close(self) -> None:
        os.close(self._fd)


class LeaseFile:
    """Liveness of an inference function: a lock as long as it is alive, renewed by a counter."""

    def __init__(self, path: str, incarnation: str, *, after_crash: bool = False) -> None:
        """`after_crash`: the process that held this lease before ended by a fault of its own."""
        self._incarnation = short_incarnation(incarnation)
        earlier = _earlier_at(path, after_crash)
        temporary = f"{path}.{incarnation}"
        self._fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        locks.hold(self._fd, _LIVENESS_BYTE)
        self._renewals = 0
        self.renew()
        os.pwrite(self._fd, _EARLIER.pack(*earlier), _LEASE.size)
        os.rename(temporary, path)

    def renew(self) -> None:
        self._renewals += 1
        os.pwrite(self._fd, _LEASE.pack(self._renewals, self._incarnation), 0)


def _earlier_at(path: str, crashed: bool) -> list[int]:
    """Earlier incarnations for a new lease file: the holder of the one here, and those before."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return [0] * 4
    try:
        _, incarnation, earlier = _read(fd)
    finally:
        os.close(fd)
    return [incarnation | (_CRASHED if crashed else 0), *earlier[:3]]


def _read(fd: int) -> tuple[bytes, int, list[int]]:
    """Renewal, incarnation and those before it; these are 0 in a lease file of an older version."""
    found = os.pread(fd, _LEASE.size + _EARLIER.size, 0).ljust(_LEASE.size + _EARLIER.size, b"\0")
    renewal, earlier = found[: _LEASE.size], found[_LEASE.size :]
    return renewal, _LEASE.unpack(renewal)[1], list(_EARLIER.unpack(earlier))


class Watch:
    """What a transform function sees of one inference function."""

    def __init__(self, path: str, now: float) -> None:
        self._path = path
        self._seen: tuple[int, bytes] | None = None
        self._moved_at = now
        self.alive = False
        self.incarnation = 0
        #: Incarnations that have ended here → whether they crashed.
        self.ends: dict[int, bool] = {}

    def look(self, now: float) -> None:
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            self.alive, self._moved_at = False, now
            return
        try:
            self.alive = locks.held(fd, _LIVENESS_BYTE)
            renewal, self.incarnation, earlier = _read(fd)
            self.ends = {end % _CRASHED: end >= _CRASHED for end in earlier if end}
            seen = (os.fstat(fd).st_ino, renewal)
        finally:
            os.close(fd)
        if seen != self._seen or not self.alive:
            self._seen, self._moved_at = seen, now

    def still_s(self, now: float) -> float:
        """For how long it is alive without a renewal: it is stopped from outside."""
        return now - self._moved_at


def remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def is_at(path: str, which: tuple[int, int] | None) -> bool:
    """Whether the file known as `which` still has this name."""
    return identity(path) == which
