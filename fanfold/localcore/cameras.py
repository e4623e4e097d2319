"""The cameras that a running core fetches pictures from, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def camera_line(camera: Mapping[str, Any]) -> str:
    """`cam1: live, 1920x1080, 24.9 frames/s in, 5 wanted, 300 accepted, 4 dropped, 2 stalls`."""
    size = "x".join(str(side) for side in camera.get("picture") or ())
    words = [
        str(camera.get("state", "unknown")),
        size,
        f"{camera.get('fps_in', 0)} frames/s in, {camera.get('fps', 0):g} wanted",
        f"{camera.get('accepted', 0)} accepted",
        f"{camera.get('dropped', 0)} dropped",
        f"{camera.get('stalls', 0)} stalls",
    ]
    line = f"{camera.get('name')}: " + ", ".join(word for word in words if word)
    if camera.get("error"):
        line += f" · {camera.get('source')}: {camera['error']}"
    return line
