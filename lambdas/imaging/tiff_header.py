"""The first page of a TIFF or BigTIFF: size, samples, compression (TIFF 6.0, BigTIFF). Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

from lambdas.imaging.errors import ImageError

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_SAMPLES, _SAMPLE_FORMAT = 277, 339
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 16: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
#: Compressions that OpenCV's libtiff reads (tried with OpenCV 5.0).
_READ = frozenset((1, 5, 6, 7, 8, 32_773, 32_946))
_NAMED = {
    2: "CCITT RLE", 3: "CCITT group 3", 4: "CCITT group 4", 34_712: "JPEG 2000",
    34_887: "LERC", 34_925: "LZMA", 50_000: "Zstandard", 50_001: "WebP", 50_002: "JPEG XL",
}  # fmt: skip
_PHOTOMETRICS = {4: "a mask", 5: "CMYK", 8: "CIE L*a*b*", 32_803: "Bayer (CFA, DNG)"}
_UNSIGNED, _MAX_ENTRIES = 1, 4096


class Page(NamedTuple):
    width_px: int
    height_px: int
    samples: int
    bits: int


def read_page(data: bytes) -> Page:
    """Raises `ImageError`; struct.error where the file ends within its directory."""
    tags = _tags(data)
    page = Page(
        tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0), tags.get(_SAMPLES, 1), tags.get(_BITS, 1)
    )
    compression = tags.get(_COMPRESSION, 1)
    if compression not in _READ:
        name = _NAMED.get(compression, f"number {compression}")
        raise ImageError(
            "unsupported",
            f"TIFF compressed by {name}: use none, LZW, Deflate, PackBits or JPEG",
        )
    photometric = tags.get(_PHOTOMETRIC, 1)
    if photometric in _PHOTOMETRICS:
        raise ImageError("unsupported", f"TIFF of {_PHOTOMETRICS[photometric]}: send grey or RGB")
    if page.bits not in (1, 8, 16) or tags.get(_SAMPLE_FORMAT, _UNSIGNED) != _UNSIGNED:
        kind = "unsigned" if tags.get(_SAMPLE_FORMAT, _UNSIGNED) == _UNSIGNED else "signed or float"
        raise ImageError(
            "unsupported", f"TIFF of {page.bits} bits, {kind}: send 8 or 16 unsigned bits"
        )
    return page


def _tags(data: bytes) -> dict[int, int]:
    """The first value of every whole-number tag of the first page."""
    order = "<" if data[:2] == b"II" else ">"
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == 43:
        (at,) = struct.unpack_from(order + "Q", data, 8)
        (count,) = struct.unpack_from(order + "Q", data, at)
        at, entry, number, inline = at + 8, 20, "Q", 8
    else:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        at, entry, number, inline = at + 2, 12, "I", 4
    if count > _MAX_ENTRIES:
        raise ImageError("not_an_image", f"TIFF with {count} tags, limit {_MAX_ENTRIES}")
    tags = {}
    for index in range(count):
        here = at + entry * index
        tag, kind, values = struct.unpack_from(order + "HH" + number, data, here)
        if kind in _LETTERS and values:
            place = here + entry - inline
            if _SIZES[kind] * values > inline:
                (place,) = struct.unpack_from(order + number, data, place)
            (tags[tag],) = struct.unpack_from(order + _LETTERS[kind], data, place)
    return tags
