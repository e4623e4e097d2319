"""A camera's region of interest and ignore masks, on pixels (docs/spec/regions.md).

The picture is cut to the region's window, and what is not seen of it is painted over before
anything else happens to it: every task and every model runtime gets the same pixels.
"""

from __future__ import annotations

import math
from typing import Mapping

import cv2
import numpy as np

from contract.polygons import Polygon, Window, is_box
from contract.regions import VARIABLE, Regions, regions_of
from lambdas.model.errors import ModelError
from lambdas.model.geometry import Cut

#: OpenCV draws at 1/16 of a pixel.
_SHIFT = 4


def chosen_regions(env: Mapping[str, str]) -> dict[str, Regions]:
    """FANFOLD_REGIONS, by camera. Raises `ModelError`."""
    try:
        return regions_of(env.get(VARIABLE, ""))
    except ValueError as error:
        raise ModelError(str(error)) from None


def cut_of(window: Window, width: int, height: int) -> Cut:
    """The pixels of a picture that a window touches: at least one each way."""
    left, top = (math.floor(low * side) for low, side in zip(window[:2], (width, height)))
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = math.ceil(window[2] * width), math.ceil(window[3] * height)
    return left, top, max(right - left, 1), max(bottom - top, 1)


def scaled(cut: Cut, size: tuple[int, int], decoded: tuple[int, int]) -> Cut:
    """The same part of a picture (width, height) that was decoded smaller."""
    if decoded == size:
        return cut
    along, down = decoded[0] / size[0], decoded[1] / size[1]
    left = min(round(cut[0] * along), decoded[0] - 1)
    top = min(round(cut[1] * down), decoded[1] - 1)
    right, bottom = round((cut[0] + cut[2]) * along), round((cut[1] + cut[3]) * down)
    return left, top, max(right - left, 1), max(bottom - top, 1)


def paint_over(image: np.ndarray, regions: Regions, shown: Window, value: int) -> np.ndarray:
    """What is not seen becomes `value`: in place, where the pixels may be changed.

    `shown`: the part of the picture that `image` is. A pixel that an outline touches is not seen.
    """
    if not image.flags.writeable:
        image = image.copy()
    height, width = image.shape[:2]
    if regions.region and not is_box(regions.region):
        # Of two outlines OpenCV fills what is in one of them only: here, all but the region.
        frame = ((-1.0, -1.0), (2.0, -1.0), (2.0, 2.0), (-1.0, 2.0))
        outlines = [frame, _moved(regions.region, shown)]
        _fill(image, [_pixels(outline, width, height) for outline in outlines], value)
    for mask in regions.masks:
        _fill(image, [_pixels(_moved(mask, shown), width, height)], value)
    return image


def seen(regions: Regions, shown: Window, shape: tuple[int, int]) -> np.ndarray:
    """H×W booleans: what is seen of a map of the part `shown` of the picture."""
    canvas: np.ndarray = paint_over(np.zeros(shape, np.uint8), regions, shown, 1) == 0
    return canvas


def _moved(polygon: Polygon, shown: Window) -> Polygon:
    left, top, right, bottom = shown
    return tuple(((x - left) / (right - left), (y - top) / (bottom - top)) for x, y in polygon)


def _fill(image: np.ndarray, outlines: list[np.ndarray], value: int) -> None:
    cv2.fillPoly(image, outlines, (value,) * 3, shift=_SHIFT)


def _pixels(polygon: Polygon, width: int, height: int) -> np.ndarray:
    # A pixel's centre is what OpenCV has at whole numbers.
    points = np.array(polygon, np.float64) * (width, height) - 0.5
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)
