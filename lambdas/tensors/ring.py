"""A file of equal slots in shared memory: one transform function fills them, any inference
function empties them.

Whoever touches a slot's content holds its lock (`locks`). So a tensor is never seen half
written, and a slot whose work has begun while nobody holds its lock is one whose worker
has died. The words may be read without the lock, as a hint.

    header   magic, slots, tensor bytes, model
    words    8 bytes for each slot: turn, incarnation of the worker, alone, state
    notes    what the tensor is: JSON, with the time since when it waits
    tensors
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import weakref
from typing import NamedTuple

import numpy as np

from contract.messages import Record, dumps, utf8
from lambdas.tensors import locks

FREE, READY, RUNNING, SENDING, DONE = range(5)

_MAGIC = b"FFRING\0\1"
_HEADER = struct.Struct("8sQQ64s")
_WORDS_AT = 1_024
_CONTROL_BYTES = 65_536
NOTE_BYTES = 16_384
_NOTE = struct.Struct("QI")
MAX_SLOTS = (_CONTROL_BYTES - _WORDS_AT) // 8
# Mappings begin where every kernel's pages do: 64 KiB is the largest in use.
_ALIGN = 65_536
_TENSOR_ALIGN = 4_096


class RingError(Exception):
    """A ring that cannot be made or used; the text says what to do."""


class NoteTooLongError(ValueError):
    """What is to be said of a tensor does not fit beside it."""


class Word(NamedTuple):
    """`turn`: how often the slot was offered; `incarnation`: whose work it is, 16 bits."""

    turn: int
    incarnation: int
    alone: bool
    state: int


class Ring:
    """One mapping of a ring. Not thread-safe: its user serialises calls for one slot."""

    def __init__(self, fd: int, slots: int, tensor_bytes: int, owner: bool) -> None:
        self._fd = fd
        self.slots = slots
        status = os.fstat(fd)
        self.identity = (status.st_dev, status.st_ino)
        start, stride = _tensors_at(self.slots), _stride(tensor_bytes)
        # A mapping keeps its file open. With a file of its own, closing `fd` ends the locks.
        mapped = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
        self._control = mmap.mmap(mapped, start)
        # Only its owner can change a tensor: for everybody else the memory is read-only.
        access = mmap.ACCESS_WRITE if owner else mmap.ACCESS_READ
        size = stride * self.slots
        self._memory = mmap.mmap(mapped, size, access=access, offset=start)
        os.close(mapped)
        self._words = memoryview(self._control)[_WORDS_AT : _WORDS_AT + 8 * self.slots].cast("Q")
        floats = tensor_bytes // 4
        self._tensors = [
            np.frombuffer(self._memory, np.float32, floats, slot * stride)
            for slot in range(self.slots)
        ]
        # A reader drops a ring that was replaced, and a claim may need it a little longer: the
        # file, which has no name any more, and its memory go with whoever refers to it last.
        # Not at the interpreter's exit, where threads may still hold a slot's lock.
        self._close_file = weakref.finalize(self, os.close, fd)
        self._close_file.atexit = False

    def word(self, slot: int) -> Word:
        value = self._words[slot]
        return Word(value >> 32, value >> 16 & 0xFFFF, bool(value >> 8 & 1), value & 0xFF)

    def state(self, slot: int) -> int:
        return self._words[slot] & 0xFF

    def set(self, slot: int, word: Word) -> None:
        """The holder of the slot's lock says what it is now."""
        turn, incarnation, alone, state = word
        # One aligned store of 8 bytes: a reader without the lock sees the old or the new.
        self._words[slot] = (turn & 0xFFFFFFFF) << 32 | incarnation << 16 | alone << 8 | state

    def tensor(self, slot: int) -> np.ndarray:
        """Flat float32; read-only for all but the owner."""
        return self._tensors[slot]

    def put_note(self, slot: int, since_ns: int, note: Record) -> None:
        """Raises `NoteTooLongError`."""
        text = utf8(dumps(note))
        room = NOTE_BYTES - _NOTE.size
        if len(text) > room:
            raise NoteTooLongError(f"{len(text)} bytes of description, {room} fit")
        at = _CONTROL_BYTES + slot * NOTE_BYTES
        _NOTE.pack_into(self._control, at, since_ns, len(text))
        self._control[at + _NOTE.size : at + _NOTE.size + len(text)] = text

    def since_ns(self, slot: int) -> int:
        return int(_NOTE.unpack_from(self._control, _CONTROL_BYTES + slot * NOTE_BYTES)[0])

    def note(self, slot: int) -> Record:
        at = _CONTROL_BYTES + slot * NOTE_BYTES
        size = _NOTE.unpack_from(self._control, at)[1]
        found: Record = json.loads(self._control[at + _NOTE.size : at + _NOTE.size + size])
        return found

    def hold(self, slot: int) -> bool:
        return locks.hold(self._fd, slot)

    def release(self, slot: int) -> None:
        locks.release(self._fd, slot)

    def held(self, slot: int) -> bool:
        """Whether another process works with the slot."""
        return locks.held(self._fd, slot)

    def close(self) -> None:
        """Give every lock back; the memory goes with the last tensor that is looked at."""
        self._tensors = []
        self._words.release()
        for mapping in (self._control, self._memory):
            try:
                mapping.close()
            except BufferError:  # a tensor is still looked at
                continue
        self._close_file()


def create(path: str, incarnation: str, model: str, slots: int, tensor_bytes: int) -> Ring:
    """Make a ring, take its memory, and only then give it its name: nobody sees half of it.

    `model`: SHA-256 of the package, whose tensors no other model may read. Raises `RingError`.
    """
    if not 1 <= slots <= MAX_SLOTS:
        raise RingError(f"a ring of {slots} slots: use 1 to {MAX_SLOTS}")
    size = _tensors_at(slots) + _stride(tensor_bytes) * slots
    temporary = f"{path}.{incarnation}"
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            # All of it now: a page that cannot be had later would end the process by SIGBUS.
            os.posix_fallocate(fd, 0, size)
        except OSError as error:
            raise RingError(
                f"{os.path.dirname(path)}: no room for {slots} tensors of {tensor_bytes} bytes, "
                f"{size >> 20} MiB in all ({os.strerror(error.errno or 0)})"
            ) from None
        header = (_MAGIC, slots, tensor_bytes, model.encode())
        os.pwrite(fd, _HEADER.pack(*header), 0)
        os.rename(temporary, path)
    except BaseException:
        os.close(fd)
        os.unlink(temporary)
        raise
    return Ring(fd, slots, tensor_bytes, owner=True)


def open_ring(path: str, model: str) -> Ring | None:
    """The ring at `path`; None where there is none, or one of another model."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        magic, slots, size, of_model = _HEADER.unpack(os.pread(fd, _HEADER.size, 0))
        if magic != _MAGIC or of_model.rstrip(b"\0").decode() != model:
            os.close(fd)
            return None
        return Ring(fd, slots, size, owner=False)
    except BaseException:
        os.close(fd)
        raise


def identity(path: str) -> tuple[int, int] | None:
    """Which file has this name now."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _tensors_at(slots: int) -> int:
    return _rounded(_CONTROL_BYTES + slots * NOTE_BYTES, _ALIGN)


def _stride(tensor_bytes: int) -> int:
    return _rounded(tensor_bytes, _TENSOR_ALIGN)


def _rounded(size: int, to: int) -> int:
    return -(-size // to) * to
