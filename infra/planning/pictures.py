"""What a site says of its pictures: limits, tolerated damage, and each camera's sensor.

The meanings are `lambdas.imaging.rules`'; the functions get them as FANFOLD_PICTURES.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from infra.planning.fields import PositiveFloat, Record

_MB = 1 << 20
_MEGAPIXEL = 1_000_000


class Sensor(Record):
    """How a camera writes samples that are not plain 8-bit colour or grey."""

    bits: Literal[0, 8, 10, 12, 14, 16] = Field(
        default=0, description="Significant bits of a 16-bit sample; 0: as the file says, else 16."
    )
    align: Literal["auto", "lsb", "msb"] = Field(
        default="auto", description="Whether they are the low or the high bits of the sample."
    )
    bayer: Literal["", "RGGB", "BGGR", "GRBG", "GBRG"] = Field(
        default="", description="Colour filter of one-channel pictures; empty: none."
    )
    width_px: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=0, description="Width of files without a header (raw frames); 0: none."
    )
    height_px: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=0, description="Height of files without a header (raw frames); 0: none."
    )
    packing: Literal["", "p", "Packed"] = Field(
        default="",
        description="Of raw samples of 10 or 12 bits: as GenICam's name of the format ends "
        "(Mono12p, Mono12Packed); empty: two bytes each.",
    )

    @model_validator(mode="after")
    def _packed_samples_have_10_or_12_bits(self) -> Sensor:
        if self.packing and self.bits not in (10, 12):
            raise ValueError(f"packing {self.packing} needs bits: 10 or 12, not {self.bits}")
        return self


class Pictures(Record):
    """Limits of one picture; what is above them is refused with its reason."""

    max_mb: PositiveFloat = Field(default=16, description="Size of a file, MiB.")
    max_megapixels: PositiveFloat = Field(default=40, description="Width × height, millions.")
    max_lost: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.1,
        description="Share of a damaged JPEG that may be missing: marked; above it `truncated`.",
    )

    def variable(self, sensors: dict[str, Sensor]) -> str:
        """FANFOLD_PICTURES; "" where everything is as the functions assume."""
        given: dict[str, Any] = {}
        if self.max_mb != Pictures.model_fields["max_mb"].default:
            given["max_bytes"] = int(self.max_mb * _MB)
        if self.max_megapixels != Pictures.model_fields["max_megapixels"].default:
            given["max_pixels"] = int(self.max_megapixels * _MEGAPIXEL)
        if self.max_lost != Pictures.model_fields["max_lost"].default:
            given["max_lost"] = self.max_lost
        if sensors:
            given["cameras"] = {
                name: sensor.model_dump(exclude_defaults=True) for name, sensor in sensors.items()
            }
        return json.dumps(given, sort_keys=True, separators=(",", ":")) if given else ""
