"""What somebody drew → a piece of the site file. Nothing of the running site changes by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.polygons import Polygon
from contract.regions import Regions, regions_from

LINE = 100


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """For one camera; `deployed`: what runs now."""

    site: str
    camera: str
    regions: Regions
    deployed: Regions

    @property
    def changes(self) -> bool:
        return self.regions != self.deployed

    @property
    def file_name(self) -> str:
        return f"{self.site}-{self.camera}-regions-{self.regions.name}.yaml"

    @property
    def yaml(self) -> str:
        """To be put into the site file by hand; it says where."""
        regions = self.regions
        lines = [
            f"# Proposal {regions.name} for site {self.site}: give camera {self.camera} in the",
            "# site file these keys in place of its region and masks, then deploy.",
            "cameras:",
            f"  - name: {self.camera}",
        ]
        if regions.region:
            lines += _wrapped("    region: ", regions.region)
        if regions.masks:
            lines.append("    masks:")
            for mask in regions.masks:
                lines += _wrapped("      - ", mask)
        if regions == Regions():
            lines.append("    # neither region nor masks: remove both keys")
        return "\n".join(lines) + "\n"


def proposal_of(site: str, cameras: Mapping[str, Regions], body: Mapping[str, Any]) -> Proposal:
    """From `{"camera": …, "region": […], "masks": […]}`; `cameras`: what is deployed, of all.

    Raises ValueError, with every problem and what to do.
    """
    camera = body.get("camera")
    if not isinstance(camera, str) or camera not in cameras:
        known = ", ".join(cameras) or "none"
        raise ValueError(f"camera {camera!r:.60} does not exist at this site; cameras: {known}")
    given = {key: body[key] for key in ("region", "masks") if key in body}
    regions = regions_from(given)
    return Proposal(site=site, camera=camera, regions=regions, deployed=cameras[camera])


def _wrapped(head: str, polygon: Polygon) -> list[str]:
    """A flow sequence of points, on lines that an editor shows whole."""
    points = [f"[{x:g}, {y:g}]" for x, y in polygon]
    lines, indent = [head + "[" + points[0]], " " * (len(head) + 1)
    for point in points[1:]:
        if len(lines[-1]) + len(point) + 3 > LINE:
            lines[-1] += ","
            lines.append(indent + point)
        else:
            lines[-1] += ", " + point
    lines[-1] += "]"
    return lines
