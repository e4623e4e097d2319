"""The first page of a TIFF or BigTIFF: size, samples, compression (TIFF 6.0, BigTIFF). Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

from lambdas.imaging.errors import ImageError
from lambdas.imaging.exif import UPRIGHT

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIPS, _ORIENTATION, _SAMPLES, _STRIP_BYTES, _PLANAR = 273, 274, 277, 279, 284
_TILES, _TILE_BYTES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 324, 325, 338, 339
_REDUCED, _WHITE_IS_ZERO, _RGB, _SEPARATE = 1, 0, 2, 2
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 16: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
#: Compressions that OpenCV's libtiff reads (tried with OpenCV 5.0).
_READ = frozenset((1, 5, 6, 7, 8, 32_773, 32_946))
_NAMED = {
    2: "CCITT RLE", 3: "CCITT group 3", 4: "CCITT group 4", 34_712: "JPEG 2000",
    34_887: "LERC", 34_892: "lossy JPEG (DNG)", 34_925: "LZMA", 34_933: "PNG",
    34_934: "JPEG XR", 50_000: "Zstandard", 50_001: "WebP", 50_002: "JPEG XL",
}  # fmt: skip
_PHOTOMETRICS = {4: "a mask", 5: "CMYK", 8: "CIE L*a*b*", 32_803: "Bayer (CFA, DNG)"}
_UNSIGNED, _MAX_ENTRIES, _MAX_SAMPLES = 1, 4096, 4


class Page(NamedTuple):
    """`orientation`: 1…8, as EXIF has it. `inverted`: 0 is white, in samples that OpenCV
    leaves as they are (those of 8 bits and less it inverts itself)."""

    width_px: int
    height_px: int
    samples: int
    bits: int
    orientation: int
    inverted: bool
    complete: bool


def read_page(data: bytes) -> Page:
    """Raises `ImageError`; struct.error where the file ends within its directory."""
    directory = _Directory(data)
    tags = {tag: directory.first(tag) for tag in directory.entries}
    if tags.get(_SUBFILE, 0) & _REDUCED:
        raise ImageError(
            "unsupported",
            "TIFF whose first page is a small preview (camera raw: NEF, ARW, DNG …): let the"
            " camera write JPEG instead",
        )
    bits, photometric = tags.get(_BITS, 1), tags.get(_PHOTOMETRIC, 1)
    page = Page(
        tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0), tags.get(_SAMPLES, 1), bits,
        _possible(tags.get(_ORIENTATION, UPRIGHT)), photometric == _WHITE_IS_ZERO and bits > 8,
        directory.holds_its_pixels(),
    )  # fmt: skip
    compression = tags.get(_COMPRESSION, 1)
    if compression not in _READ:
        name = _NAMED.get(compression, f"number {compression}")
        raise ImageError(
            "unsupported",
            f"TIFF compressed by {name}: use none, LZW, Deflate, PackBits or JPEG",
        )
    _refuse_unusual(directory, tags, page)
    return page


def plain(data: bytes) -> bytes:
    """The same picture, not turned and with an alpha of no meaning.

    OpenCV turns a TIFF itself whatever it is told, one in tiles wrongly (5.0), and blends
    colours that have an alpha with black.
    """
    directory = _Directory(data)
    changed = bytearray(data)
    for tag, value in ((_ORIENTATION, UPRIGHT), (_EXTRA_SAMPLES, 0)):
        if tag in directory.entries:
            directory.write_first(changed, tag, value)
    return bytes(changed)


def _possible(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else UPRIGHT


def _refuse_unusual(directory: _Directory, tags: dict[int, int], page: Page) -> None:
    """What OpenCV reads wrongly or not at all. Raises `ImageError`."""
    photometric = tags.get(_PHOTOMETRIC, 1)
    if photometric in _PHOTOMETRICS:
        raise ImageError("unsupported", f"TIFF of {_PHOTOMETRICS[photometric]}: send grey or RGB")
    if page.bits not in (1, 8, 16) or tags.get(_SAMPLE_FORMAT, _UNSIGNED) != _UNSIGNED:
        kind = "unsigned" if tags.get(_SAMPLE_FORMAT, _UNSIGNED) == _UNSIGNED else "signed or float"
        raise ImageError(
            "unsupported", f"TIFF of {page.bits} bits, {kind}: send 8 or 16 unsigned bits"
        )
    if page.samples > _MAX_SAMPLES or len(set(directory.values(_BITS, (page.bits,)))) > 1:
        raise ImageError(
            "unsupported",
            f"TIFF of {page.samples} samples a pixel, or of unequal ones: send grey or RGB",
        )
    separate = tags.get(_PLANAR, 1) == _SEPARATE and page.samples > 1
    if page.bits > 8 and (separate or photometric > _RGB):
        kind = "whose colours lie apart" if separate else f"of photometric {photometric}"
        raise ImageError(
            "unsupported", f"TIFF of 16 bits {kind}: send 8 bits, or colours pixel by pixel"
        )


class _Directory:
    """The whole-number tags of the first page. Raises struct.error where the file ends in it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = order = "<" if data[:2] == b"II" else ">"
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
        #: Tag → letter of struct, number of values, place of the first.
        self.entries: dict[int, tuple[str, int, int]] = {}
        for index in range(count):
            here = at + entry * index
            tag, kind, values = struct.unpack_from(order + "HH" + number, data, here)
            if kind in _LETTERS and values:
                place = here + entry - inline
                if _SIZES[kind] * values > inline:
                    (place,) = struct.unpack_from(order + number, data, place)
                self.entries[tag] = (_LETTERS[kind], values, place)

    def first(self, tag: int) -> int:
        letter, _, place = self.entries[tag]
        (value,) = struct.unpack_from(self._order + letter, self._data, place)
        return int(value)

    def holds_its_pixels(self) -> bool:
        """Whether every strip or tile lies within the file."""
        for starts, sizes in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
            if starts in self.entries and sizes in self.entries:
                ends = map(sum, zip(self.values(starts), self.values(sizes)))
                if max(ends, default=0) > len(self._data):
                    return False
        return True

    def values(self, tag: int, absent: tuple[int, ...] = ()) -> tuple[int, ...]:
        if tag not in self.entries:
            return absent
        letter, count, place = self.entries[tag]
        return struct.unpack_from(f"{self._order}{count}{letter}", self._data, place)

    def write_first(self, data: bytearray, tag: int, value: int) -> None:
        letter, _, place = self.entries[tag]
        struct.pack_into(self._order + letter, data, place, value)
