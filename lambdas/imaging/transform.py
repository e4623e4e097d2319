"""Encoded image → the network's input tensor.

`exact` decodes every pixel and is bit for bit what OpenCV gives. `fast` lets the JPEG
decoder skip frequencies that the resize would discard anyway, down to the model's
`decode_margin`: on photographs the tensor differs by at most `FAST_TOLERANCE` on
average, and the best class stays the same where it has a score of 0.2 at least
(tests/lambdas/imaging/test_inference_transform.py).
"""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping, NamedTuple

import cv2
import numpy as np

from contract.regions import Regions
from lambdas.imaging.buffers import Buffer
from lambdas.imaging.damage import Damage
from lambdas.imaging.decode import Decoder
from lambdas.imaging.header import Header, ImageError, read_header
from lambdas.imaging.rules import DEFAULT, Rules, rules_of
from lambdas.model.errors import ModelError
from lambdas.model.geometry import Placement, Size, centre_cut, placement
from lambdas.model.input_spec import Input
from lambdas.model.regions import chosen_regions, cut_of, paint_over, scaled

MODES = ("fast", "exact")
#: Mean absolute difference to `exact`, in units of a pixel's 0…255.
FAST_TOLERANCE = 8.0

_INTERPOLATION = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
Hook = Callable[[np.ndarray], np.ndarray]


def chosen_mode(env: Mapping[str, str]) -> str:
    """FANFOLD_TRANSFORM. Raises `ModelError`."""
    mode = env.get("FANFOLD_TRANSFORM", "") or MODES[0]
    if mode not in MODES:
        raise ModelError(f"FANFOLD_TRANSFORM={mode!r}: use one of {', '.join(MODES)}")
    return mode


def chosen_rules(env: Mapping[str, str]) -> Rules:
    """FANFOLD_PICTURES. Raises `ModelError`."""
    try:
        return rules_of(env.get("FANFOLD_PICTURES", ""))
    except (TypeError, ValueError) as error:
        raise ModelError(f"FANFOLD_PICTURES: {error}") from None


class Choices(NamedTuple):
    """What a site says of all its pictures, and of the cameras that have something of their own."""

    mode: str = "fast"
    rules: Rules = DEFAULT
    regions: Mapping[str, Regions] = {}


def chosen(env: Mapping[str, str]) -> Choices:
    """From a function's environment. Raises `ModelError`."""
    return Choices(chosen_mode(env), chosen_rules(env), chosen_regions(env))


class Transform:
    """One per thread. `hook` gets H×W×3 uint8 at full size and returns the same kind;
    H×W for a network of one channel. Of a camera with a region it gets the region's window."""

    def __init__(
        self,
        spec: Input,
        mode: str = "fast",
        hook: Hook | None = None,
        rules: Rules = DEFAULT,
        regions: Mapping[str, Regions] = {},
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"FANFOLD_TRANSFORM={mode!r}: use one of {', '.join(MODES)}")
        self._spec = spec
        self._scaled = mode == "fast" and hook is None
        self._hook = hook
        self.rules = rules
        self.regions = regions
        self._decoder = Decoder(spec.colour, rules.max_lost)
        self._resized = Buffer()
        size = (spec.height_px, spec.width_px)
        self._pixel = (3,) if spec.channels == 3 else ()
        self._channels = [np.empty(size, np.uint8) for _ in range(spec.channels)]
        self._boxed = np.full((*size, *self._pixel), round(spec.pad), np.uint8)
        self._inside = (0, 0, 0, 0)
        self._interpolation = _INTERPOLATION[spec.interpolation]

    @property
    def hooked(self) -> bool:
        """Whether the user's code is part of it."""
        return self._hook is not None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image's tensor, without the batch."""
        return self._spec.shape[1:]

    @property
    def damage(self) -> Damage | None:
        """What was missing of the image transformed last."""
        return self._decoder.damage

    def __call__(self, data: bytes, out: np.ndarray, camera: str = "") -> Size:
        """Write the tensor of one image of a camera into `out` (float32). Raises `ImageError`.

        Returns the size of the upright picture (after the hook), which leads from points of
        the tensor back to it (`geometry.placement`).
        """
        sensor = self.rules.sensor(camera)
        header = read_header(data, self.rules, sensor)
        regions = self.regions.get(camera)
        size = _upright(header)
        if regions is not None and regions.region:
            size = Size(size.width, size.height, cut_of(regions.window, size.width, size.height))
        height_px, width_px = self._decoded_minimum(size)
        image = self._decoder.decode(data, header, height_px, width_px, sensor)
        if regions is not None:
            image = self._seen(image, size, regions)
        if self._hook is not None:
            image = _checked(self._hook(image), self._pixel)
            size = size.shown_as(image.shape[1], image.shape[0])
        self._normalise(self._resize(image, placement(self._spec, *size)), out)
        return size

    def _seen(self, image: np.ndarray, size: Size, regions: Regions) -> np.ndarray:
        """Cut to the region's window, and painted over where nothing is to be seen."""
        height, width = image.shape[:2]
        whole = (0, 0, size.width, size.height)
        cut = scaled(size.cut or whole, (size.width, size.height), (width, height))
        left, top, cut_width, cut_height = cut
        shown = left / width, top / height, (left + cut_width) / width, (top + cut_height) / height
        part = image[top : top + cut_height, left : left + cut_width]
        return paint_over(part, regions, shown, round(self._spec.pad))

    def _decoded_minimum(self, size: Size) -> tuple[int, int]:
        """Of the whole picture, so that what the network is shown of it has pixels enough."""
        if not self._scaled:
            return 0, 0
        if size.cut is not None:
            _, _, width, height = size.cut
            least_height, least_width = self._decoded_minimum(Size(width, height))
            return (
                math.ceil(least_height * size.height / height),
                math.ceil(least_width * size.width / width),
            )
        spec = self._spec
        wanted = (spec.height_px, spec.width_px)
        if spec.resize == "shorter_side_crop":
            wanted = (spec.resize_to, spec.resize_to)
        elif spec.resize == "letterbox":
            place = placement(spec, *size)
            wanted = (place.height_px, place.width_px)
        return math.ceil(wanted[0] * spec.decode_margin), math.ceil(wanted[1] * spec.decode_margin)

    def _resize(self, image: np.ndarray, place: Placement) -> np.ndarray:
        spec = self._spec
        if spec.resize == "shorter_side_crop":
            left, top, width, height = centre_cut(spec, image.shape[1], image.shape[0])
            image = image[top : top + height, left : left + width]
        if image.shape[:2] != (place.height_px, place.width_px):
            out = self._resized.shaped(place.height_px, place.width_px, *self._pixel)
            size = (place.width_px, place.height_px)
            image = cv2.resize(image, size, dst=out, interpolation=self._interpolation)
        return self._framed(image, place) if spec.resize == "letterbox" else image

    def _framed(self, image: np.ndarray, place: Placement) -> np.ndarray:
        """The picture within its border, which is painted anew only where it has moved."""
        inside = place[1:5]
        if inside != self._inside:
            self._boxed[...] = round(self._spec.pad)
            self._inside = inside
        rows = slice(place.top, place.top + place.height_px)
        self._boxed[rows, place.left : place.left + place.width_px] = image
        return self._boxed

    def _normalise(self, image: np.ndarray, out: np.ndarray) -> None:
        spec = self._spec
        if spec.layout == "NHWC":
            image = image.reshape(out.shape)
            np.subtract(image, np.array(spec.mean, np.float32), out=out)
            np.multiply(out, np.array(spec.scale, np.float32), out=out)
            return
        # Apart first, as bytes: converting every third byte costs twice as much.
        planes = cv2.split(image, self._channels) if self._pixel else [image]
        for channel, values in enumerate(planes):
            plane = out[channel]
            np.copyto(plane, values)
            if spec.mean[channel] != 0.0:
                plane -= np.float32(spec.mean[channel])
            if spec.scale[channel] != 1.0:
                plane *= np.float32(spec.scale[channel])


def _upright(header: Header) -> Size:
    turned = header.orientation >= 5
    size = (header.width_px, header.height_px)
    return Size(*(size[::-1] if turned else size))


def _checked(image: Any, pixel: tuple[int, ...]) -> np.ndarray:
    """A hook's answer; what is wrong with it fails the image and says why."""
    kind = "H×W×3 uint8" if pixel else "H×W uint8"
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ImageError("not_an_image", f"the hook `transform` must return {kind}")
    if image.ndim != 2 + len(pixel) or image.shape[2:] != pixel or 0 in image.shape:
        raise ImageError(
            "not_an_image",
            f"the hook `transform` returned shape {image.shape}, it must return {kind}",
        )
    return image
