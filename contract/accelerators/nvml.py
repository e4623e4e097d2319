"""Cards by NVML, the library behind `nvidia-smi`: its order is what `GPU_ID` counts in.

https://docs.nvidia.com/deploy/nvml-api/: structures and codes are its own.
"""

from __future__ import annotations

import ctypes

from contract.accelerators.cards import Card, Slice, same_pci
from contract.accelerators.library import DriverError, Library, numbers

LIBRARY = "libnvidia-ml.so.1"
_CODES = {
    4: "no permission to open the driver",
    9: "the kernel driver is not loaded",
    15: "the card has fallen off the bus",
    18: "the kernel driver and the library are of different versions: restart the machine",
}


class _Pci(ctypes.Structure):
    _fields_ = [
        ("legacy", ctypes.c_char * 16),
        ("domain", ctypes.c_uint),
        ("bus", ctypes.c_uint),
        ("device", ctypes.c_uint),
        ("device_id", ctypes.c_uint),
        ("subsystem_id", ctypes.c_uint),
        ("address", ctypes.c_char * 32),
    ]


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


def cards_by_nvml() -> tuple[list[Card] | None, list[str]]:
    """What NVML sees from here, and remarks; None: it cannot be asked."""
    try:
        library = Library(LIBRARY)
    except OSError:
        return None, []
    try:
        library.call("nvmlInit_v2")
    except DriverError as error:
        return None, [f"{LIBRARY}: {_CODES.get(error.code, error)}"]
    try:
        return _all(library)
    except DriverError as error:
        return None, [f"{LIBRARY}: {_CODES.get(error.code, error)}"]
    finally:
        library.call("nvmlShutdown")


def _all(library: Library) -> tuple[list[Card], list[str]]:
    found: list[Card] = []
    remarks: list[str] = []
    for index in range(library.number("nvmlDeviceGetCount_v2")):
        try:
            found.append(_card(library, index))
        except DriverError as error:
            remarks.append(f"GPU {index}: {_CODES.get(error.code, error)}")
    return found, remarks


def _card(library: Library, index: int) -> Card:
    handle = ctypes.c_void_p()
    library.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
    pci = _Pci()
    library.call("nvmlDeviceGetPciInfo_v3", handle, ctypes.byref(pci))
    mig = _in_mig_mode(library, handle)
    total_mb = memory_mb(library, handle)
    return Card(
        index=index,
        uuid=library.text("nvmlDeviceGetUUID", handle),
        pci=same_pci(pci.address.decode("ascii", "replace")),
        minor=_optional(library, "nvmlDeviceGetMinorNumber", handle),
        name=library.text("nvmlDeviceGetName", handle),
        memory_mb=total_mb,
        mig=mig,
        slices=tuple(_slices(library, handle)) if mig else (),
        integrated=total_mb == 0,  # only there is it not the card's own to tell
    )


def _optional(library: Library, name: str, handle: ctypes.c_void_p) -> int | None:
    try:
        return library.number(name, handle)
    except DriverError:
        return None


def _in_mig_mode(library: Library, handle: ctypes.c_void_p) -> bool:
    """Most cards, and old drivers, do not know the question."""
    try:
        return numbers(library, "nvmlDeviceGetMigMode", handle)[0] == 1
    except DriverError:
        return False


def _slices(library: Library, handle: ctypes.c_void_p) -> list[Slice]:
    found = []
    for place in range(library.number("nvmlDeviceGetMaxMigDeviceCount", handle)):
        part = ctypes.c_void_p()
        try:
            library.call(
                "nvmlDeviceGetMigDeviceHandleByIndex",
                handle,
                ctypes.c_uint(place),
                ctypes.byref(part),
            )
        except DriverError:  # no slice was made in this place
            continue
        found.append(
            Slice(
                uuid=library.text("nvmlDeviceGetUUID", part),
                name=library.text("nvmlDeviceGetName", part),
                memory_mb=memory_mb(library, part),
                gi=library.number("nvmlDeviceGetGpuInstanceId", part),
                ci=library.number("nvmlDeviceGetComputeInstanceId", part),
            )
        )
    return found


def memory_mb(library: Library, handle: ctypes.c_void_p, which: str = "total") -> int:
    """Megabytes, `total`, `free` or `used`; 0: it is not told, as on an integrated GPU."""
    memory = _Memory()
    try:
        library.call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
    except DriverError:
        return 0
    return int(getattr(memory, which) >> 20)
