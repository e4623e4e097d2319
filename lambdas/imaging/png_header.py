"""A PNG's chunks (RFC 2083, APNG): size, orientation, significant bits, whether it ends. Pure."""

from __future__ import annotations

import struct
from typing import Iterator, NamedTuple

from lambdas.imaging import exif
from lambdas.imaging.errors import ImageError

_SIGNATURE_BYTES, _AROUND = 8, 12
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_MAX_TEXT = 65_536


class Picture(NamedTuple):
    """`bits`: significant bits of 16-bit samples (sBIT), 0: not said."""

    width_px: int
    height_px: int
    components: int
    orientation: int
    bits: int
    complete: bool
    animated: bool


def read(data: bytes) -> Picture:
    """Raises `ImageError`; struct.error or IndexError where the header ends early."""
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if data[12:16] != b"IHDR":
        raise ImageError("not_an_image", "PNG without IHDR")
    turned, bits, animated = exif.UPRIGHT, 0, False
    for kind, at, length in _chunks(data):
        if kind == b"eXIf":
            turned = exif.orientation(data[at : at + min(length, _MAX_TEXT)])
        elif kind == b"sBIT" and depth == 16:
            bits = max(data[at : at + min(length, 4)], default=0)
        elif kind == b"acTL":
            animated = True
    complete = data.rfind(b"IEND") > 25
    return Picture(width, height, _CHANNELS.get(colour, 0), turned, bits, complete, animated)


def still(data: bytes) -> bytes:
    """The first frame alone: OpenCV 5.0 crashes on some damaged animations."""
    parts, last = [], 0
    for kind, at, length in _chunks(data):
        if kind in _ANIMATION:
            parts.append(data[last : at - 8])
            last = at + length + 4
    return b"".join([*parts, data[last:]])


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset and length of each chunk's body, up to IEND or the end of the data."""
    at = _SIGNATURE_BYTES
    while at + _AROUND <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = bytes(data[at + 4 : at + 8])
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += _AROUND + length
