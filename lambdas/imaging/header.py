"""What an encoded image says before it is decoded: kind, size, orientation, completeness.

Decoders allocate what a header claims, so the header is read here first, by code that
allocates nothing. Pure.
"""

from __future__ import annotations

import struct
from typing import Callable, NamedTuple

from contract import refused_kinds
from contract.image_kinds import BMP, JPEG, PNG, PNM, TIFF, WEBP, kind_of
from lambdas.imaging import bmp_header, jpeg_header, png_header, pnm_header, rules, tiff_header
from lambdas.imaging.errors import ImageError
from lambdas.imaging.exif import UPRIGHT
from lambdas.imaging.exif import orientation as exif_orientation
from lambdas.imaging.jpeg_header import Frame

__all__ = ["MAX_BYTES", "MAX_PIXELS", "Header", "ImageError", "read_header"]

MAX_PIXELS = rules.MAX_PIXELS
MAX_BYTES = rules.MAX_BYTES
#: Line ends that some HTTP grabbers leave before the picture.
_LEADING = b"\r\n"


class Header(NamedTuple):
    """`orientation` is EXIF's 1…8; an impossible value counts as 1, as viewers have it.

    `complete` False: the end is missing, and the format's decoder would not say so.
    `bits`: significant bits that the file itself declares, 0: none. `skip`: bytes before
    the picture. `inverted`: the largest sample is black. `frame`: of a JPEG.
    """

    kind: str
    width_px: int
    height_px: int
    components: int
    orientation: int
    complete: bool
    bits: int = 0
    skip: int = 0
    inverted: bool = False
    frame: Frame | None = None


def read_header(
    data: bytes, limits: rules.Rules = rules.DEFAULT, sensor: rules.Sensor | None = None
) -> Header:
    """Check size and kind of an encoded image. Raises `ImageError`."""
    if len(data) > limits.max_bytes:
        raise ImageError(
            "too_large", f"{len(data)} bytes, limit {limits.max_bytes}: compress it more"
        )
    try:
        header = _dispatch(data, sensor)
    except (struct.error, IndexError):
        raise ImageError("truncated", f"it ends within its header, at {len(data)} bytes") from None
    if header.width_px <= 0 or header.height_px <= 0:
        raise ImageError("not_an_image", f"it says {header.width_px}×{header.height_px} pixels")
    if header.width_px * header.height_px > limits.max_pixels:
        raise ImageError(
            "too_large",
            f"{header.width_px}×{header.height_px} pixels, limit {limits.max_pixels}:"
            " send it smaller",
        )
    if not header.complete:
        raise ImageError("truncated", f"{header.kind} without its end, {len(data)} bytes")
    return header


def _dispatch(data: bytes, sensor: rules.Sensor | None) -> Header:
    skip = len(data[:16]) - len(data[:16].lstrip(_LEADING))
    body = data[skip:] if skip else data
    kind = None if refused_kinds.named(body) else kind_of(body)
    if kind is not None:
        return _READERS[kind.name](body)._replace(skip=skip)
    if sensor is not None and 0 < sensor.raw_bytes == len(data):
        return Header("raw", sensor.width_px, sensor.height_px, 1, UPRIGHT, True, sensor.bits)
    raise ImageError(*refused_kinds.refusal(body))


def _jpeg(data: bytes) -> Header:
    frame = jpeg_header.read_frame(data)
    jpeg_header.refuse_unusual(frame)
    # Whether all of it is there only its decoder can tell (imaging.damage).
    return Header(
        "jpeg", frame.width_px, frame.height_px, frame.components, frame.orientation, True,
        frame=frame,
    )  # fmt: skip


def _png(data: bytes) -> Header:
    picture = png_header.read(data)
    kind = "animated png" if picture.animated else "png"
    return Header(
        kind, picture.width_px, picture.height_px, picture.components, picture.orientation,
        picture.complete, picture.bits,
    )  # fmt: skip


def _bmp(data: bytes) -> Header:
    picture = bmp_header.read(data)
    return Header("bmp", picture.width_px, picture.height_px, 3, UPRIGHT, picture.complete)


def _webp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 4)
    complete = len(data) >= size + 8
    form = data[12:16]
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("webp", width & 0x3FFF, height & 0x3FFF, 3, UPRIGHT, complete)
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
        return Header("webp", width, height, 3, UPRIGHT, complete)
    if form == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        if len(data) < 30:
            raise IndexError
        return Header("webp", width, height, 3, _webp_orientation(data), complete)
    raise ImageError("not_an_image", f"WebP of unknown form {form!r}")


def _webp_orientation(data: bytes) -> int:
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        if data[at : at + 4] == b"EXIF":
            return exif_orientation(data[at + 8 : at + 8 + min(length, 65_536)])
        at += 8 + length + length % 2
    return UPRIGHT


def _tiff(data: bytes) -> Header:
    page = tiff_header.read_page(data)
    return Header(
        "tiff", page.width_px, page.height_px, page.samples, page.orientation, page.complete,
        inverted=page.inverted,
    )  # fmt: skip


def _pnm(data: bytes) -> Header:
    picture = pnm_header.read(data)
    return Header(
        "pnm", picture.width_px, picture.height_px, picture.components, UPRIGHT,
        picture.complete, picture.bits,
    )  # fmt: skip


_READERS: dict[str, Callable[[bytes], Header]] = {
    JPEG.name: _jpeg,
    PNG.name: _png,
    BMP.name: _bmp,
    WEBP.name: _webp,
    TIFF.name: _tiff,
    PNM.name: _pnm,
}
