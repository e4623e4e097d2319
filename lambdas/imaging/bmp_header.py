"""The headers of a BMP: Microsoft's BITMAPINFOHEADER and its followers, OS/2's own. Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

from lambdas.imaging.errors import ImageError

#: BITMAPCOREHEADER of OS/2 and Windows 2 has 16-bit sizes.
_OS2_HEAD_BYTES = 12
_PLAIN, _BIT_FIELDS, _ALPHA_FIELDS = 0, 3, 6
_NAMED = {4: "a JPEG inside", 5: "a PNG inside"}
_READ_BITS = (1, 4, 8, 16, 24, 32)
#: Which bits are red, green and blue: the orders that OpenCV reads whatever the header's length.
_FIELDS = {
    16: ((0x7C00, 0x03E0, 0x1F), (0xF800, 0x07E0, 0x1F)),
    32: ((0xFF0000, 0xFF00, 0xFF),),
}
#: From BITMAPV3INFOHEADER on OpenCV follows the fields of 32 bits, which stand in the header.
_FIELDS_FOLLOWED_FROM_BYTES = 56


class Picture(NamedTuple):
    width_px: int
    height_px: int
    complete: bool


def read(data: bytes) -> Picture:
    """Raises `ImageError`; struct.error where it ends within its header."""
    pixels_at, head_bytes = struct.unpack_from("<II", data, 10)
    old = head_bytes == _OS2_HEAD_BYTES
    width, height, _, bits = struct.unpack_from("<HHHH" if old else "<iiHH", data, 18)
    compression = 0 if old else struct.unpack_from("<I", data, 30)[0]
    if compression in _NAMED:
        raise ImageError("unsupported", f"BMP with {_NAMED[compression]}: send that alone")
    if bits not in _READ_BITS:
        raise ImageError("unsupported", f"BMP of {bits} bits a pixel: send 24")
    if compression in (_BIT_FIELDS, _ALPHA_FIELDS):
        _refuse_unusual(struct.unpack_from("<III", data, 54), bits, head_bytes)
    # Its field for the file's size is often wrong; rows that are not packed say how long they are.
    needed = pixels_at + -(-width * bits // 32) * 4 * abs(height)
    if compression not in (_PLAIN, _BIT_FIELDS, _ALPHA_FIELDS):
        (needed,) = struct.unpack_from("<I", data, 2)
    return Picture(width, abs(height), len(data) >= needed)  # negative: top row first


def _refuse_unusual(fields: tuple[int, ...], bits: int, head_bytes: int) -> None:
    followed = bits == 32 and head_bytes >= _FIELDS_FOLLOWED_FROM_BYTES
    if not followed and fields not in _FIELDS.get(bits, ()):
        raise ImageError(
            "unsupported",
            "BMP whose red, green and blue are the bits "
            f"{', '.join(f'{field:#x}' for field in fields)}: send 24 bits a pixel",
        )
