"""One photograph in the forms that cameras, tools and faults write it.

`PHOTO` is smooth with texture, H×W×3 in OpenCV's order; every maker returns encoded bytes.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np

HEIGHT, WIDTH = 304, 448
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
_TEXTURE = 30 * np.sin(_X / 7) * np.cos(_Y / 5)
PHOTO = np.clip(
    np.dstack([_X / 3 + 20, _Y / 2 + 40, 200 - _X / 4]) + _TEXTURE[..., np.newaxis], 1, 254
).astype(np.uint8)
EOI = b"\xff\xd9"


def jpeg(image=PHOTO, quality: int = 92, restart: int = 0, progressive: bool = False) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
    options += [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def scan_at(data: bytes) -> int:
    at = data.index(b"\xff\xda")
    return at + 2 + struct.unpack_from(">H", data, at + 2)[0]


def intervals(data: bytes) -> list[bytes]:
    """The scan's restart intervals, each but the first with its marker in front."""
    start, end = scan_at(data), data.rindex(EOI)
    parts, last = [], start
    for at in range(start, end - 1):
        if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7:
            parts.append(data[last:at])
            last = at
    return [data[:start], *parts, data[last:end]]


def without_intervals(data: bytes, first: int, count: int) -> bytes:
    head, *parts = intervals(data)
    return head + b"".join(parts[:first] + parts[first + count :]) + EOI


def app1(body: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def tiff_block(orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"II" + struct.pack("<HI", 42, 8) + struct.pack("<H", 1) + entry + bytes(4)


def exif(orientation: int) -> bytes:
    return app1(b"Exif\0\0" + tiff_block(orientation))


XMP = app1(b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>")
FLIR = app1(b"FLIR\0\x01\0\0" + bytes(40))


def with_segments(*segments: bytes, data: bytes | None = None) -> bytes:
    data = jpeg() if data is None else data
    return data[:2] + b"".join(segments) + data[2:]
