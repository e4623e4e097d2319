"""Where a picture lies in the network's input, and the way back to the picture.

Pure and standard library only. A picture is known by its upright width and height;
points of the input, in pixels, become fractions (0…1) of that picture.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple

from lambdas.model.input_spec import Input

#: Left, top, width and height in pixels of the picture.
Cut = Tuple[int, int, int, int]


class Size(NamedTuple):
    """Width and height of the upright picture; `cut`: the part of it that the network is shown.

    None: all of it.
    """

    width: int
    height: int
    cut: Cut | None = None

    def shown_as(self, width: int, height: int) -> Size:
        """The same part, where its pixels are so many now: a hook may return any size."""
        if self.cut is None:
            return Size(width, height)
        left, top, old_width, old_height = self.cut
        along, down = width / old_width, height / old_height
        whole = round(self.width * along), round(self.height * down)
        return Size(*whole, (round(left * along), round(top * down), width, height))


class Placement(NamedTuple):
    """`width_px` × `height_px` of the input, from (`left`, `top`), show the picture.

    `gain`: pixels of the picture per pixel of the input, along x and y; `origin`: the
    point of the input that is the picture's corner (outside of it where it was cut);
    `shown`: left, top, right and bottom of the part that is there at most, in fractions.
    """

    size: tuple[int, int]
    width_px: int
    height_px: int
    left: int
    top: int
    gain: tuple[float, float]
    origin: tuple[float, float]
    shown: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def back(self, x: float, y: float) -> tuple[float, float]:
        """A point of the input → fractions of the picture, 0 at its left and top edge."""
        (width, height), (gain_x, gain_y), (x0, y0) = self.size, self.gain, self.origin
        left, top, right, bottom = self.shown
        across, down = (x - x0) * gain_x / width, (y - y0) * gain_y / height
        return _within(across, left, right), _within(down, top, bottom)


def placement(spec: Input, width: int, height: int, cut: Cut | None = None) -> Placement:
    """For a picture of `width` × `height` pixels, upright by EXIF; `cut`: see `Size`."""
    if cut is None:
        return _of_whole(spec, width, height)
    left, top, cut_width, cut_height = cut
    place = _of_whole(spec, cut_width, cut_height)
    (gain_x, gain_y), (x0, y0) = place.gain, place.origin
    right, bottom = (left + cut_width) / width, (top + cut_height) / height
    return place._replace(
        size=(width, height),
        origin=(x0 - left / gain_x, y0 - top / gain_y),
        shown=(left / width, top / height, right, bottom),
    )


def _of_whole(spec: Input, width: int, height: int) -> Placement:
    size = (width, height)
    if spec.resize == "letterbox":
        new_w, new_h, left, top = letterbox(spec, width, height)
        gain = (width / new_w, height / new_h)
        return Placement(size, new_w, new_h, left, top, gain, (left, top))
    if spec.resize == "shorter_side_crop":
        left, top, keep_w, keep_h = centre_cut(spec, width, height)
        gain = (keep_w / spec.width_px, keep_h / spec.height_px)
        origin = (-left / gain[0], -top / gain[1])
        return Placement(size, spec.width_px, spec.height_px, 0, 0, gain, origin)
    gain = (width / spec.width_px, height / spec.height_px)
    return Placement(size, spec.width_px, spec.height_px, 0, 0, gain, (0.0, 0.0))


def letterbox(spec: Input, width: int, height: int) -> tuple[int, int, int, int]:
    """Width and height of the whole picture within the input, and its left and top edge.

    As Ultralytics 8.4 rounds it; `pad_centred` False is YOLOX's, which cuts fractions off.
    """
    ratio = min(spec.height_px / height, spec.width_px / width)
    if not spec.pad_centred:
        return max(int(width * ratio), 1), max(int(height * ratio), 1), 0, 0
    new_w, new_h = max(round(width * ratio), 1), max(round(height * ratio), 1)
    left = round((spec.width_px - new_w) / 2 - 0.1)
    top = round((spec.height_px - new_h) / 2 - 0.1)
    return new_w, new_h, left, top


def centre_cut(spec: Input, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of the part of the picture that becomes the input.

    Resizing the shorter side to `resize_to` and cutting H×W from the centre takes the
    same region; cutting first resizes only the pixels that are kept.
    """
    ratio = min(height, width) / spec.resize_to
    keep_h = max(1, round(spec.height_px * ratio))
    keep_w = max(1, round(spec.width_px * ratio))
    return (width - keep_w) // 2, (height - keep_h) // 2, keep_w, keep_h


def _within(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))
