"""Orientation out of Exif, which is a small TIFF (CIPA DC-008, tag 0x0112). Pure."""

from __future__ import annotations

import struct

UPRIGHT = 1
_ORIENTATION = 0x0112
_LETTERS = {1: "B", 3: "H", 4: "I"}
_PREFIX = b"Exif\0\0"


def is_exif(segment: bytes) -> bool:
    """Whether an APP1 segment is Exif; XMP and thermal cameras use APP1 as well."""
    return bytes(segment[:6]) == _PREFIX


def orientation(block: bytes) -> int:
    """1…8 of an Exif block, with or without its prefix; 1 where it says nothing possible.

    Broken metadata is no reason to lose the picture.
    """
    tiff = block[6:] if is_exif(block) else block
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]))
    if order is None:
        return UPRIGHT
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, offset)
        for index in range(count):
            at = offset + 2 + 12 * index
            tag, kind = struct.unpack_from(order + "HH", tiff, at)
            if tag == _ORIENTATION:
                # A short, by the standard; some write it as a byte or a long, and viewers read it.
                letter = _LETTERS.get(kind)
                value = struct.unpack_from(order + letter, tiff, at + 8)[0] if letter else 0
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT
