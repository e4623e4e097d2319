"""The head of a PBM, PGM or PPM (netpbm's manual pages pbm(5), pgm(5), ppm(5)). Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from lambdas.imaging.errors import ImageError

_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*(\d+)")
_MAX_VALUE = 65_535


class Picture(NamedTuple):
    """`bits`: significant bits of a 16-bit sample, from the largest value; 0: 8 bits.

    `largest`: that value. `pixels_at`: where its samples begin.
    """

    width_px: int
    height_px: int
    components: int
    bits: int
    complete: bool
    largest: int
    pixels_at: int


def read(data: bytes) -> Picture:
    """Raises `ImageError`."""
    form, at = data[1] - ord("0"), 2
    wanted = 2 if form in (1, 4) else 3
    numbers = []
    for _ in range(wanted):
        found = _TOKEN.match(data, at)
        if found is None or len(found.group(1)) > 6:
            raise ImageError("not_an_image", f"PNM whose head ends at byte {at}")
        numbers.append(int(found.group(1)))
        at = found.end()
    width, height = numbers[:2]
    largest = numbers[2] if wanted == 3 else 1
    if not 0 < largest <= _MAX_VALUE:
        raise ImageError("not_an_image", f"PNM with the largest value {largest}")
    if form not in (1, 4) and (largest < 255 or largest & (largest + 1)):
        raise ImageError(
            "unsupported",
            f"PNM with the largest value {largest}: use 255, or 1023, 4095, 16383, 65535",
        )
    components = 3 if form in (3, 6) else 1
    row = -(-width // 8) if form == 4 else width * components * (2 if largest > 255 else 1)
    at = _pixels_at(data, at, row * height) if form >= 4 else at
    return Picture(
        width, height, components, largest.bit_length() if largest > 255 else 0,
        form < 4 or len(data) - at >= row * height, largest, at,
    )  # fmt: skip


def plain(data: bytes) -> bytes:
    """The same picture with the shortest head: decoders differ in what may stand in one."""
    picture = read(data)
    numbers = [picture.width_px, picture.height_px]
    numbers += [picture.largest] if data[1:2] not in (b"1", b"4") else []
    # OpenCV reads on after the last number of a plain one.
    return b"%s\n%s\n%s\n" % (
        data[:2], " ".join(map(str, numbers)).encode(), data[picture.pixels_at :],
    )  # fmt: skip


def _pixels_at(data: bytes, head_end: int, size: int) -> int:
    """One white space ends the head; CRLF does where the file has room for no more."""
    crlf = data[head_end : head_end + 2] == b"\r\n" and len(data) == head_end + 2 + size
    return head_end + (2 if crlf else 1)
