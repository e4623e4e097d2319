"""GigE Vision's pixel formats (PFNC) that can become a picture, by their 32-bit number."""

from __future__ import annotations

from typing import NamedTuple

from lambdas.imaging.rules import Sensor


class PixelFormat(NamedTuple):
    """`colour`: "mono", "rgb", "bgr", or a colour filter (RGGB …)."""

    name: str
    colour: str
    bits: int
    packing: str = ""

    @property
    def sensor(self) -> Sensor:
        bayer = self.colour if self.colour.isupper() else ""
        return Sensor(bits=self.bits, align="lsb", bayer=bayer, packing=self.packing)


_FILTERS = {"GR": "GRBG", "RG": "RGGB", "GB": "GBRG", "BG": "BGGR"}
# PFNC 2.1 numbers the four filters of one depth in a row, in this order; p-formats in another.
_IN_A_ROW = {8: 0x01080008, 10: 0x0110000C, 12: 0x01100010, 16: 0x0110002E}
_IN_THREES = {10: 0x010C0026, 12: 0x010C002A}
_CONTIGUOUS = {10: 0x010A0052, 12: 0x010C0053}
_P_ORDER = ("BG", "GB", "GR", "RG")


def _bayer() -> dict[int, PixelFormat]:
    found = {}
    for at, name in enumerate(_FILTERS):
        for bits, first in _IN_A_ROW.items():
            found[first + at] = PixelFormat(f"Bayer{name}{bits}", _FILTERS[name], bits)
        for bits, first in _IN_THREES.items():
            full = f"Bayer{name}{bits}Packed"
            found[first + at] = PixelFormat(full, _FILTERS[name], bits, "Packed")
    for at, name in enumerate(_P_ORDER):
        for bits, first in _CONTIGUOUS.items():
            full = f"Bayer{name}{bits}p"
            found[first + 2 * at] = PixelFormat(full, _FILTERS[name], bits, "p")
    return found


FORMATS: dict[int, PixelFormat] = {
    0x01080001: PixelFormat("Mono8", "mono", 8),
    0x01100003: PixelFormat("Mono10", "mono", 10),
    0x01100005: PixelFormat("Mono12", "mono", 12),
    0x01100025: PixelFormat("Mono14", "mono", 14),
    0x01100007: PixelFormat("Mono16", "mono", 16),
    0x010A0046: PixelFormat("Mono10p", "mono", 10, "p"),
    0x010C0047: PixelFormat("Mono12p", "mono", 12, "p"),
    0x010C0004: PixelFormat("Mono10Packed", "mono", 10, "Packed"),
    0x010C0006: PixelFormat("Mono12Packed", "mono", 12, "Packed"),
    0x02180014: PixelFormat("RGB8", "rgb", 8),
    0x02180015: PixelFormat("BGR8", "bgr", 8),
    **_bayer(),
}
