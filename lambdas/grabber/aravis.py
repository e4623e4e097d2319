"""The few functions of Aravis that read a GigE Vision camera, by ctypes.

Its own bindings are PyGObject's, which the Python of the functions does not have.
"""

from __future__ import annotations

import ctypes
import time
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint32, c_uint64, c_void_p
from typing import Any, NamedTuple

LIBRARY = "libaravis-0.8.so.0"
#: Buffers that the camera fills while one is read.
BUFFERS = 8
_CONTINUOUS = 0
_SUCCESS = 0

# The last argument of the first group is a GError**.
_TELLING: dict[str, tuple[Any, list[Any]]] = {
    "arv_camera_new": (c_void_p, [c_char_p]),
    "arv_camera_create_stream": (c_void_p, [c_void_p, c_void_p, c_void_p]),
    "arv_camera_get_payload": (c_uint, [c_void_p]),
    "arv_camera_set_acquisition_mode": (None, [c_void_p, c_int]),
    "arv_camera_start_acquisition": (None, [c_void_p]),
}
_SILENT: dict[str, tuple[Any, list[Any]]] = {
    "arv_buffer_new_allocate": (c_void_p, [c_size_t]),
    "arv_stream_push_buffer": (None, [c_void_p, c_void_p]),
    "arv_stream_timeout_pop_buffer": (c_void_p, [c_void_p, c_uint64]),
    "arv_buffer_get_status": (c_int, [c_void_p]),
    "arv_buffer_get_system_timestamp": (c_uint64, [c_void_p]),
    "arv_buffer_get_data": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "arv_buffer_get_image_width": (c_int, [c_void_p]),
    "arv_buffer_get_image_height": (c_int, [c_void_p]),
    "arv_buffer_get_image_pixel_format": (c_uint32, [c_void_p]),
}


class AravisError(Exception):
    """What Aravis said; `missing`: it is not installed."""

    def __init__(self, said: str, *, missing: bool = False) -> None:
        super().__init__(said)
        self.missing = missing


class _GError(ctypes.Structure):
    _fields_ = [("domain", c_uint32), ("code", c_int), ("message", c_char_p)]


class Image(NamedTuple):
    """One frame as the camera sent it; `pixel_format`: PFNC's number; `time_s`: Unix, of its first
    packet by this device's clock."""

    data: bytes
    width_px: int
    height_px: int
    pixel_format: int
    time_s: float


class Stream:
    """The stream of the camera at `address`, running. Raises `AravisError`."""

    def __init__(self, address: str) -> None:
        self._library = _loaded()
        # Never given back: the process that reads a camera ends with it.
        self._camera = self._call("arv_camera_new", address.encode())
        if not self._camera:
            raise AravisError("no GigE Vision camera answers there")
        self._call("arv_camera_set_acquisition_mode", self._camera, _CONTINUOUS)
        self._stream = self._call("arv_camera_create_stream", self._camera, None, None)
        if not self._stream:
            raise AravisError("the camera gives no stream: another program may control it")
        payload = self._call("arv_camera_get_payload", self._camera)
        for _ in range(BUFFERS):
            buffer = self._library.arv_buffer_new_allocate(payload)
            self._library.arv_stream_push_buffer(self._stream, buffer)
        self._call("arv_camera_start_acquisition", self._camera)

    def image(self, timeout_s: float) -> Image | None:
        """The next whole frame; None: none came in time. One with lost packets is passed over."""
        library, until = self._library, time.monotonic() + timeout_s
        while True:
            left_us = max(0, int((until - time.monotonic()) * 1e6))
            buffer = library.arv_stream_timeout_pop_buffer(self._stream, left_us)
            if not buffer:
                return None
            try:
                if library.arv_buffer_get_status(buffer) == _SUCCESS:
                    return self._image_in(buffer)
            finally:
                library.arv_stream_push_buffer(self._stream, buffer)

    def _image_in(self, buffer: int) -> Image:
        library, size = self._library, c_size_t()
        data = library.arv_buffer_get_data(buffer, byref(size))
        return Image(
            ctypes.string_at(data, size.value),
            library.arv_buffer_get_image_width(buffer),
            library.arv_buffer_get_image_height(buffer),
            library.arv_buffer_get_image_pixel_format(buffer),
            library.arv_buffer_get_system_timestamp(buffer) / 1e9,
        )

    def _call(self, name: str, *given: Any) -> Any:
        error = POINTER(_GError)()
        value = getattr(self._library, name)(*given, byref(error))
        if error:
            raise AravisError((error.contents.message or b"").decode(errors="replace"))
        return value


def _loaded() -> Any:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise AravisError(f"{LIBRARY} is not installed", missing=True) from None
    for name, (result, given) in {**_TELLING, **_SILENT}.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = [*given, POINTER(POINTER(_GError))] if name in _TELLING else given
    return library
