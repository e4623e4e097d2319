"""Tensors out of a legacy PyTorch checkpoint, without torch and without trust.

Format (torch/serialization.py, `_legacy_save`): pickles of a magic number, a protocol
version and system facts, then the object with storages as persistent ids, then the
list of storage keys, then for each key its element count and raw little-endian data.
A pickle may run any code that it names, so this reader resolves four names and no more.
"""

from __future__ import annotations

import collections
import io
import pickle
import struct
from typing import Any, BinaryIO, Tuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
Ints = Tuple[int, ...]


class CheckpointError(ValueError):
    """Not a checkpoint of the legacy format, or one that names what it should not."""


class _Storage:
    """A flat array whose contents come after the pickle."""

    def __init__(self, dtype: str, count: int) -> None:
        self.data = np.zeros(count, dtype)


class _StorageType:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


class _View:
    """A tensor: shape and strides (in elements) over a storage."""

    def __init__(self, storage: _Storage, offset: int, shape: Ints, strides: Ints) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> np.ndarray:
        flat = self.storage.data
        reach = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides))
        if self.offset < 0 or reach >= flat.size or min(self.strides, default=0) < 0:
            raise CheckpointError(f"a tensor {self.shape} reaches beyond its storage")
        strides = tuple(s * flat.itemsize for s in self.strides)
        view = np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, strides)
        return np.ascontiguousarray(view)


def _rebuild(storage: _Storage, offset: int, shape: Ints, strides: Ints, *_: Any) -> _View:
    return _View(storage, offset, shape, strides)


_ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch", "FloatStorage"): _StorageType("<f4"),
    ("torch", "LongStorage"): _StorageType("<i8"),
}


class _Restricted(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[(module, name)]
        except KeyError:
            raise CheckpointError(f"the checkpoint names {module}.{name}: refused") from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _location, count, view = pid
        if kind != "storage" or view is not None or not isinstance(storage_type, _StorageType):
            raise CheckpointError(f"unknown persistent id {pid!r:.80}")
        return self.storages.setdefault(key, _Storage(storage_type.dtype, count))


def read_checkpoint(content: bytes) -> dict[str, np.ndarray]:
    """Name → array of a saved state dict. Raises `CheckpointError`."""
    try:
        state = _load(io.BytesIO(content))
    except CheckpointError:
        raise
    except Exception as error:  # malformed pickles raise nearly everything, MemoryError included
        raise CheckpointError(f"not a legacy PyTorch checkpoint: {error}") from None
    return {name: view.array() for name, view in state.items() if isinstance(view, _View)}


def _load(file: BinaryIO) -> dict[str, Any]:
    magic, protocol, system = (_Restricted(file).load() for _ in range(3))
    if magic != MAGIC or protocol != PROTOCOL:
        raise CheckpointError("not a legacy PyTorch checkpoint (magic number)")
    if not system["little_endian"]:
        raise CheckpointError("big-endian checkpoints are not supported")
    reader = _Restricted(file)
    state: dict[str, Any] = reader.load()
    _fill(file, reader.storages)
    return state


def _fill(file: BinaryIO, storages: dict[str, _Storage]) -> None:
    for key in _Restricted(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        body = file.read(count * storage.data.itemsize)
        if count != storage.data.size or len(body) != storage.data.nbytes:
            raise CheckpointError(f"storage {key} has {count} elements, {storage.data.size} wanted")
        storage.data[:] = np.frombuffer(body, storage.data.dtype)
