"""The grabber's frames in the images volume: `live/{camera}/`, of the last seconds.

What was accepted has a name of the splitter's own (docs/decisions/0024); the file here is for the
page and for whoever wants to see what the camera sees.
"""

from __future__ import annotations

import contextlib
import os
import time

FOLDER = "live"
KEPT_S = 15.0
FEWEST_KEPT = 16


def name_of(camera: str, t: float, number: int, suffix: str) -> str:
    """`live/cam1/20261129T203614.123Z-000017.jpg`: UTC, and a number in case clocks jump."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(t))
    return f"{FOLDER}/{camera}/{stamp}.{int(t * 1000) % 1000:03d}Z-{number:06d}{suffix}"


def write(images_dir: str, relative: str, content: bytes) -> None:
    """Whole or not at all: nobody is told of it before. Raises `OSError`."""
    path = os.path.join(images_dir, relative)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(path, "xb") as file:
            file.write(content)
    except OSError:
        remove(images_dir, relative)
        raise


def remove(images_dir: str, relative: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(images_dir, relative))


def clear(images_dir: str, camera: str) -> int:
    """At start: frames of an earlier life, which nobody was told were accepted. How many."""
    folder = os.path.join(images_dir, FOLDER, camera)
    try:
        names = os.listdir(folder)
    except OSError:
        return 0
    for name in names:
        remove(images_dir, f"{FOLDER}/{camera}/{name}")
    return len(names)
