"""Cameras that the device fetches pictures from: no frames, or always the same one. Pure.

None of it is a fault of a deployment: a camera may be switched off.
"""

from __future__ import annotations

from collections.abc import Iterator

from contract.status import Reason, Status
from edgecore.core.stats import fetched_cameras, number
from edgecore.core.verdict.reason import degraded, spell

AWAY_S = 30.0
"""A camera that is opened again within this time is no reason."""


def camera_reasons(status: Status) -> Iterator[Reason]:
    for camera in fetched_cameras(status):
        name = f"camera {camera['name']}"
        age_s = number(camera.get("frame_age_s")) or 0.0
        same_s = number(camera.get("frozen_s")) or 0.0
        if camera.get("state") == "frozen":
            yield degraded(
                "camera_frozen",
                name,
                f"has sent the same picture for {spell(same_s)}",
                "restart the camera; the site file's frozen_s sets after how long it is reported",
            )
        elif camera.get("state") != "live" and age_s >= AWAY_S:
            yield degraded(
                "camera_away",
                name,
                f"has sent no frame for {spell(age_s)}",
                str(camera.get("error") or "it is being connected to"),
            )
