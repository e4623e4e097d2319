"""The head of a PBM, PGM or PPM (netpbm's manual pages pbm(5), pgm(5), ppm(5)). Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from lambdas.imaging.errors import ImageError

_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*(\d+)")
_MAX_VALUE = 65_535


class Picture(NamedTuple):
    """`bits`: significant bits of a 16-bit sample, from the largest value; 0: 8 bits."""

    width_px: int
    height_px: int
    components: int
    bits: int
    complete: bool


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
    if largest < 255 and form not in (1, 4):
        raise ImageError(
            "unsupported", f"PNM with the largest value {largest}: use 255, or 1023 and more"
        )
    components = 3 if form in (3, 6) else 1
    row = -(-width // 8) if form == 4 else width * components * (2 if largest > 255 else 1)
    complete = form < 4 or len(data) - at - 1 >= row * height
    return Picture(
        width, height, components, largest.bit_length() if largest > 255 else 0, complete
    )
