"""Region of interest and ignore masks of a camera: polygons in fractions (0…1) of the upright
picture, (0, 0) its left upper corner.

Pure and standard library only: planner, workers, core and page agree on it here
(docs/spec/regions.md). What is seen is inside the region (everywhere, where there is none) and
in no mask.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping, NamedTuple, Sequence

from contract.polygons import (
    WHOLE,
    Polygon,
    Window,
    bounds,
    covers,
    is_fraction,
    polygon_of,
    polygon_problems,
)

VARIABLE = "FANFOLD_REGIONS"
MAX_MASKS = 16
#: Of the region's window, for the question whether the masks leave anything.
_GRID = 48


class Regions(NamedTuple):
    """Of one camera. `region` empty: the whole picture."""

    region: Polygon = ()
    masks: tuple[Polygon, ...] = ()

    @property
    def window(self) -> Window:
        """The region's bounding box: left, top, right, bottom."""
        return bounds(self.region) if self.region else WHOLE

    @property
    def name(self) -> str:
        """Eight hex digits of what is declared: the same in proposal, audit log and records."""
        return hashlib.sha256(_text(self.as_json()).encode()).hexdigest()[:8]

    def as_json(self) -> dict[str, Any]:
        """`{"region": [[x, y], …], "masks": [[[x, y], …], …]}`, without what is empty."""
        told: dict[str, Any] = {}
        if self.region:
            told["region"] = [list(point) for point in self.region]
        if self.masks:
            told["masks"] = [[list(point) for point in mask] for mask in self.masks]
        return told

    def as_record(self) -> dict[str, Any]:
        """What a result says of it: `{"name": …}`, with the window that the network was shown."""
        told: dict[str, Any] = {"name": self.name}
        if self.region:
            told["window"] = list(self.window)
        return told

    def sees(self, x: float, y: float) -> bool:
        if self.region and not covers(self.region, x, y):
            return False
        return not any(covers(mask, x, y) for mask in self.masks)


def kept_boxes(regions: Regions, boxes: Sequence[Any]) -> tuple[list[Any], int]:
    """Those whose centre is seen, and how many were not.

    What is no `{"box": [x0, y0, x1, y1]}` in fractions is kept: a hook may say boxes its own way.
    """
    kept = [each for each in boxes if _is_seen(regions, each)]
    return kept, len(boxes) - len(kept)


def _is_seen(regions: Regions, entry: Any) -> bool:
    box = entry.get("box") if isinstance(entry, Mapping) else None
    if not isinstance(box, (list, tuple)) or len(box) != 4 or not all(map(is_fraction, box)):
        return True
    return regions.sees((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)


def problems(given: Any) -> list[str]:
    """What is wrong with `{"region": …, "masks": …}`; each says which point, and what to do."""
    if not isinstance(given, Mapping) or not set(given) <= {"region", "masks"}:
        return ["expected an object of region and masks"]
    region, masks = _parts(given)
    found = polygon_problems("region", region) if region != [] else []
    if not isinstance(masks, (list, tuple)):
        return [*found, f"masks is {masks!r:.60}: write a list of polygons, [[[x, y], …], …]"]
    if len(masks) > MAX_MASKS:
        found.append(f"masks has {len(masks)} polygons, at most {MAX_MASKS}: draw one around some")
    for index, mask in enumerate(masks[:MAX_MASKS]):
        found += polygon_problems(f"masks[{index}]", mask)
    if not found and not _leaves_something(_made(region, masks)):
        found.append("masks cover all of the region: nothing would be inspected; make one smaller")
    return found


def regions_from(given: Any) -> Regions:
    """Of one camera, as `as_json` says it. Raises ValueError with every problem."""
    found = problems(given)
    if found:
        raise ValueError("; ".join(found))
    return _made(*_parts(given))


def _parts(given: Mapping[str, Any]) -> tuple[Any, Any]:
    """Region and masks; what is not there, null or empty is an empty list."""
    region, masks = (
        [] if given.get(key) in (None, [], ()) else given[key] for key in ("region", "masks")
    )
    return region, masks


def regions_of(text: str) -> dict[str, Regions]:
    """FANFOLD_REGIONS: by camera; "" is none. Raises ValueError with what is wrong."""
    given = json.loads(text) if text else {}
    if isinstance(given, dict):
        found = [f"{name}: {each}" for name, one in given.items() for each in problems(one)]
    else:
        found = [f"{text!r:.80} is no object by camera"]
    if found:
        raise ValueError(f"{VARIABLE}: {'; '.join(found)}")
    return {name: _made(*_parts(one)) for name, one in given.items()}


def variable(cameras: Mapping[str, Regions]) -> str:
    """FANFOLD_REGIONS; "" where no camera has any."""
    given = {name: each.as_json() for name, each in cameras.items() if each != Regions()}
    return _text(given) if given else ""


def _text(given: Any) -> str:
    return json.dumps(given, sort_keys=True, separators=(",", ":"))


def _made(region: Sequence[Any], masks: Sequence[Any]) -> Regions:
    return Regions(polygon_of(region), tuple(polygon_of(mask) for mask in masks))


def _leaves_something(regions: Regions) -> bool:
    left, top, right, bottom = regions.window
    steps = [(index + 0.5) / _GRID for index in range(_GRID)]
    return not regions.masks or any(
        regions.sees(left + (right - left) * x, top + (bottom - top) * y)
        for y in steps
        for x in steps
    )
