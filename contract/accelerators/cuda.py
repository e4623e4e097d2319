"""What CUDA's driver gives this process, whatever runtime sits on it."""

from __future__ import annotations

import ctypes
import uuid as uuids
from dataclasses import dataclass

from contract.accelerators.cards import same_pci
from contract.accelerators.library import DriverError, Library

LIBRARY = "libcuda.so.1"


@dataclass(frozen=True)
class Device:
    """An ordinal of this process; `count`: how many it has. `uuid` of a slice in MIG mode."""

    count: int
    uuid: str
    pci: str
    name: str


def device(ordinal: int = 0) -> Device | None:
    """Ask the driver; None: it is not installed. Raises `DriverError`."""
    try:
        library = Library(LIBRARY)
    except OSError:
        return None
    library.call("cuInit", ctypes.c_uint(0))
    count = library.number("cuDeviceGetCount")
    handle = ctypes.c_int()
    library.call("cuDeviceGet", ctypes.byref(handle), ctypes.c_int(ordinal))
    return Device(
        count=count,
        uuid=_uuid(library, handle),
        pci=same_pci(_text(library, "cuDeviceGetPCIBusId", handle)),
        name=_text(library, "cuDeviceGetName", handle),
    )


def _uuid(library: Library, handle: ctypes.c_int) -> str:
    """Version 2 (CUDA 11.4) names the slice in MIG mode, the first one the whole card."""
    name = "cuDeviceGetUuid_v2" if library.has("cuDeviceGetUuid_v2") else "cuDeviceGetUuid"
    value = (ctypes.c_ubyte * 16)()
    library.call(name, value, handle)
    return f"GPU-{uuids.UUID(bytes=bytes(value))}"


def _text(library: Library, name: str, handle: ctypes.c_int) -> str:
    """Here the buffer comes first, and the device last."""
    buffer = ctypes.create_string_buffer(96)
    library.call(name, buffer, ctypes.c_int(96), handle)
    return buffer.value.decode("utf-8", "replace")


__all__ = ["LIBRARY", "Device", "DriverError", "device"]
