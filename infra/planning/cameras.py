"""The cameras of a site: those that send, and those that the device fetches pictures from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from contract.camera_sources import (
    DEFAULT_FPS,
    DEFAULT_FROZEN_S,
    MAX_FPS,
    problems_of_source,
    shown,
)
from contract.polygons import MAX_POINTS, MIN_POINTS
from contract.regions import MAX_MASKS, Regions, problems, regions_from
from infra.planning.fields import CertificateArn, Name, Record
from infra.planning.pictures import Sensor


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


_POINT = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1},
    "minItems": 2, "maxItems": 2}  # fmt: skip
_POLYGON = {"type": "array", "items": _POINT, "minItems": MIN_POINTS, "maxItems": MAX_POINTS}
_MASKS = {"type": "array", "items": _POLYGON, "maxItems": MAX_MASKS}
#: Checked by `contract.regions`, which knows better than a type what to say about a point.
Region = Annotated[Any, BeforeValidator(_as_tuples), WithJsonSchema(_POLYGON)]
Masks = Annotated[Any, BeforeValidator(_as_tuples), WithJsonSchema(_MASKS)]


class Camera(Record):
    """A camera; its name is the stream's name, and the unit of order."""

    name: Name = Field(description="Stream name; its thing is {core thing}-{name}.")
    source: str | None = Field(
        default=None,
        description="Fetched from: rtsp://, http://, gige://, v4l2:///dev/…; absent: it sends.",
    )
    fps: Annotated[float, Field(gt=0, le=MAX_FPS)] = Field(
        default=DEFAULT_FPS, description="With source: frames a second that are inspected."
    )
    frozen_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=DEFAULT_FROZEN_S,
        description="With source: the same picture for so long is reported as frozen; 0: never.",
    )
    core: Name | None = Field(
        default=None, description="Site with `cores`: its core's name; absent: dealt."
    )
    certificate: CertificateArn | None = Field(
        default=None, description="Its certificate; else looked up in `certificates`."
    )
    sensor: Sensor | None = Field(default=None, description="Of 10 to 16 bits, Bayer or raw.")
    region: Region = Field(
        default=(),
        description="Region of interest: [x, y] points in fractions of the picture; absent: all.",
    )
    masks: Masks = Field(
        default=(), description="Ignore masks, polygons as `region`: nothing is looked for there."
    )

    def contradictions(self) -> list[str]:
        found = problems(self._declared)
        return [f"{'region' if p.startswith('region') else 'masks'}: {p}" for p in found]

    @property
    def regions(self) -> Regions:
        return regions_from(self._declared)

    @property
    def _declared(self) -> dict[str, object]:
        return {"region": self.region, "masks": self.masks}

    def source_problems(self) -> list[str]:
        if self.source is None:
            given = sorted({"fps", "frozen_s"} & self.model_fields_set)
            return [f"{key} is for cameras with a source; remove it" for key in given]
        found = [f"source: {problem}" for problem in problems_of_source(self.source)]
        if self.certificate is not None:
            found.append("certificate is for cameras that send, this one has a source; remove it")
        return found


def source_problems(cameras: Sequence[Camera]) -> list[str]:
    """What is wrong with their sources: `cameras: message` lines."""
    found = [
        f"cameras: {camera.name}: {problem}"
        for camera in cameras
        for problem in camera.source_problems()
    ]
    times = Counter(camera.source for camera in cameras if camera.source is not None)
    for source, count in times.items():
        if count > 1:
            names = ", ".join(camera.name for camera in cameras if camera.source == source)
            address = f" {shown(source)}" if not problems_of_source(source) else ""
            found.append(f"cameras: {names} have one source{address}; give each picture one stream")
    return found
