"""What a site says of its pictures: limits, damage that is tolerated, and each camera's sensor.

`FANFOLD_PICTURES` (docs/spec/environment.md) carries it as JSON. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Mapping, NamedTuple

from contract.limits import IMAGE_BYTES

MAX_PIXELS = 40_000_000
MAX_BYTES = IMAGE_BYTES
#: Above it a damaged picture is `truncated` instead of decoded and marked.
MAX_LOST = 0.1

BAYER = ("", "RGGB", "BGGR", "GRBG", "GBRG")
ALIGNMENTS = ("auto", "lsb", "msb")
BITS = (0, 8, 10, 12, 14, 16)
#: How GenICam's names of pixel formats end (Mono12p, Mono12Packed).
PACKINGS = ("", "p", "Packed")
PACKED_BITS = (10, 12)


class Sensor(NamedTuple):
    """How one camera writes its samples.

    `bits`: significant bits of a 16-bit sample, 0: as the file says, else 16. `align`:
    whether they are the low or the high ones; auto: high where all low bits are 0.
    `bayer`: colour filter of one-channel pictures, "" for none. `width_px`, `height_px`:
    of files without a header (raw frames); 0: there are none. `packing`: of their samples of
    10 or 12 bits, "" for two bytes each.
    """

    bits: int = 0
    align: str = "auto"
    bayer: str = ""
    width_px: int = 0
    height_px: int = 0
    packing: str = ""

    @property
    def raw_bytes(self) -> int:
        """Size of a raw frame; 0: this camera writes none."""
        pixels = self.width_px * self.height_px
        if self.packing == "p":
            return -(-pixels * self.bits // 8)
        if self.packing:
            return -(-pixels * 3 // 2)
        return pixels * (2 if self.bits > 8 else 1)


class Rules(NamedTuple):
    """`max_lost`: share of a picture, 0…1."""

    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    max_lost: float = MAX_LOST
    sensors: Mapping[str, Sensor] = {}

    def sensor(self, camera: str) -> Sensor:
        return self.sensors.get(camera, _PLAIN)


_PLAIN = Sensor()
DEFAULT = Rules()


def rules_of(text: str) -> Rules:
    """FANFOLD_PICTURES → rules; "" is the default. Raises `ValueError` with what is wrong."""
    if not text:
        return DEFAULT
    given = json.loads(text)
    cameras = given.pop("cameras", {})
    sensors = {name: _known(Sensor, fields, f"cameras.{name}") for name, fields in cameras.items()}
    for name, sensor in sensors.items():
        _allowed(f"cameras.{name}.bits", sensor.bits, BITS)
        _allowed(f"cameras.{name}.align", sensor.align, ALIGNMENTS)
        _allowed(f"cameras.{name}.bayer", sensor.bayer, BAYER)
        _allowed(f"cameras.{name}.packing", sensor.packing, PACKINGS)
        if sensor.packing:
            _allowed(f"cameras.{name}.bits", sensor.bits, PACKED_BITS)
    rules: Rules = _known(Rules, given, "")
    if not 0 <= rules.max_lost <= 1 or rules.max_bytes < 1 or rules.max_pixels < 1:
        raise ValueError(f"limits of {text!r:.200} are not positive, or max_lost is not in 0…1")
    return rules._replace(sensors=sensors)


def _known(kind: Any, fields: Any, where: str) -> Any:
    if not isinstance(fields, dict) or not set(fields) <= set(kind._fields):
        raise ValueError(f"{where or 'FANFOLD_PICTURES'}: use {', '.join(kind._fields)}")
    return kind(**fields)


def _allowed(where: str, value: object, choice: tuple[object, ...]) -> None:
    if value not in choice:
        raise ValueError(f"{where} is {value!r}; use one of {', '.join(map(repr, choice))}")
