"""What an encoded image says before it is decoded: kind, size, orientation, completeness.

Decoders allocate what a header claims, so the header is read here first, by code that
allocates nothing. Pure.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from contract.image_kinds import BMP, JPEG, PNG, WEBP, kind_of

MAX_PIXELS = 40_000_000
MAX_BYTES = 16 << 20

# Start-of-frame markers (ITU-T T.81, table B.1): C0–CF without DHT, JPG and DAC.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NO_LENGTH = frozenset(range(0xD0, 0xD9)) | {0x01}
_EXIF_ORIENTATION = 0x0112


class ImageError(ValueError):
    """`reason`: not_an_image, truncated or too_large (closed set of docs/spec/messages.md)."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Header(NamedTuple):
    """`orientation` is EXIF's 1…8; an impossible value counts as 1, as viewers have it."""

    kind: str
    width_px: int
    height_px: int
    components: int
    orientation: int
    complete: bool


def read_header(data: bytes) -> Header:
    """Check size and kind of an encoded image. Raises `ImageError`."""
    if len(data) > MAX_BYTES:
        raise ImageError("too_large", f"{len(data)} bytes, limit {MAX_BYTES}: compress it more")
    try:
        header = _dispatch(data)
    except (struct.error, IndexError):
        raise ImageError("truncated", f"it ends within its header, at {len(data)} bytes") from None
    if header.width_px <= 0 or header.height_px <= 0:
        raise ImageError("not_an_image", f"it says {header.width_px}×{header.height_px} pixels")
    if header.width_px * header.height_px > MAX_PIXELS:
        raise ImageError(
            "too_large",
            f"{header.width_px}×{header.height_px} pixels, limit {MAX_PIXELS}: send it smaller",
        )
    if not header.complete:
        raise ImageError("truncated", f"{header.kind} without its end, {len(data)} bytes")
    if header.kind == JPEG.name and header.components not in (1, 3):
        raise ImageError("not_an_image", f"JPEG with {header.components} channels: send it as RGB")
    return header


def _dispatch(data: bytes) -> Header:
    kind = kind_of(data)
    if kind is None:
        raise ImageError("not_an_image", f"begins with {data[:8].hex() or 'nothing'}")
    return _READERS[kind](data)


def _jpeg(data: bytes) -> Header:
    at, orientation, frame = 2, 1, None
    while True:
        if data[at] != 0xFF:
            raise ImageError("not_an_image", f"JPEG without a marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _NO_LENGTH:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2 or marker == 0xD9:
            raise ImageError("not_an_image", f"JPEG with a broken segment at byte {at}")
        if marker == 0xE1:
            orientation = _orientation(data[at + 4 : at + 2 + length])
        elif marker in _START_OF_FRAME:
            _precision, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            frame = (width, height, components)
        elif marker == 0xDA:
            break
        at += 2 + length
    if frame is None:
        raise ImageError("not_an_image", "JPEG without a frame header")
    # A thumbnail's end lies before the scan, so only what follows it counts. From the back:
    # the scan is full of 0xFF, and looking through it costs 0.3 ms.
    complete = data.rfind(b"\xff\xd9", at) >= 0
    return Header(JPEG.name, frame[0], frame[1], frame[2], orientation, complete)


def _orientation(segment: bytes) -> int:
    if segment[:6] != b"Exif\0\0":
        return 1
    tiff = segment[6:]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, offset)
        for index in range(count):
            tag, kind, _number, value = struct.unpack_from(
                order + "HHIH", tiff, offset + 2 + 12 * index
            )
            if tag == _EXIF_ORIENTATION:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        pass  # Broken metadata is no reason to lose the picture.
    return 1


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR":
        raise ImageError("not_an_image", "PNG without IHDR")
    colour = data[25]
    components = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(colour, 0)
    return Header(PNG.name, width, height, components, 1, data.rfind(b"IEND") > 25)


def _bmp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 2)
    width, height = struct.unpack_from("<ii", data, 18)
    # A negative height means: top row first.
    return Header(BMP.name, width, abs(height), 3, 1, len(data) >= size)


def _webp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 4)
    complete = len(data) >= size + 8
    form = data[12:16]
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header(WEBP.name, width & 0x3FFF, height & 0x3FFF, 3, 1, complete)
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header(WEBP.name, (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1, 3, 1, complete)
    if form == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        if len(data) < 30:
            raise IndexError
        return Header(WEBP.name, width, height, 3, 1, complete)
    raise ImageError("not_an_image", f"WebP of unknown form {form!r}")


_READERS = {JPEG: _jpeg, PNG: _png, WEBP: _webp, BMP: _bmp}
