"""Encoded image → the network's input tensor.

`exact` decodes every pixel and is bit for bit what OpenCV gives. `fast` lets the JPEG
decoder skip frequencies that the resize would discard anyway, down to the model's
`decode_margin`: on photographs the tensor differs by at most `FAST_TOLERANCE` on
average, and the best class stays the same where it has a score of 0.2 at least
(tests/lambdas/imaging/test_inference_transform.py).
"""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping

import cv2
import numpy as np

from lambdas.imaging.buffers import Buffer
from lambdas.imaging.damage import Damage
from lambdas.imaging.decode import Decoder
from lambdas.imaging.header import ImageError, read_header
from lambdas.imaging.rules import DEFAULT, Rules, rules_of
from lambdas.model.spec import Input, ModelError

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


class Transform:
    """One per thread. `hook` gets H×W×3 uint8 at full size and returns the same kind."""

    def __init__(
        self, spec: Input, mode: str = "fast", hook: Hook | None = None, rules: Rules = DEFAULT
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"FANFOLD_TRANSFORM={mode!r}: use one of {', '.join(MODES)}")
        self._spec = spec
        self._scaled = mode == "fast" and hook is None
        self._hook = hook
        self.rules = rules
        self._decoder = Decoder(spec.colour, rules.max_lost)
        self._resized = Buffer()
        size = (spec.height_px, spec.width_px)
        self._channels = [np.empty(size, np.uint8) for _ in range(3)]
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

    def __call__(self, data: bytes, out: np.ndarray, camera: str = "") -> None:
        """Write the tensor of one image of a camera into `out`. Raises `ImageError`."""
        sensor = self.rules.sensor(camera)
        header = read_header(data, self.rules, sensor)
        height_px, width_px = self._decoded_minimum()
        image = self._decoder.decode(data, header, height_px, width_px, sensor)
        if self._hook is not None:
            image = _checked(self._hook(image))
        self._normalise(self._resize(image), out)

    def _decoded_minimum(self) -> tuple[int, int]:
        if not self._scaled:
            return 0, 0
        spec = self._spec
        wanted = (spec.height_px, spec.width_px)
        if spec.resize == "shorter_side_crop":
            wanted = (spec.resize_to, spec.resize_to)
        return math.ceil(wanted[0] * spec.decode_margin), math.ceil(wanted[1] * spec.decode_margin)

    def _resize(self, image: np.ndarray) -> np.ndarray:
        spec = self._spec
        if spec.resize == "shorter_side_crop":
            image = _centre_square(image, spec)
        if image.shape[:2] == (spec.height_px, spec.width_px):
            return image
        out = self._resized.shaped(spec.height_px, spec.width_px, 3)
        return cv2.resize(
            image, (spec.width_px, spec.height_px), dst=out, interpolation=self._interpolation
        )

    def _normalise(self, image: np.ndarray, out: np.ndarray) -> None:
        spec = self._spec
        if spec.layout == "NHWC":
            np.subtract(image, np.array(spec.mean, np.float32), out=out)
            np.multiply(out, np.array(spec.scale, np.float32), out=out)
            return
        # Apart first, as bytes: converting every third byte costs twice as much.
        for channel, values in enumerate(cv2.split(image, self._channels)):
            plane = out[channel]
            np.copyto(plane, values)
            if spec.mean[channel] != 0.0:
                plane -= np.float32(spec.mean[channel])
            if spec.scale[channel] != 1.0:
                plane *= np.float32(spec.scale[channel])


def _centre_square(image: np.ndarray, spec: Input) -> np.ndarray:
    """The part of the image that becomes the input: cut before the resize, not after.

    Resizing the shorter side to `resize_to` and cutting H×W from the centre takes the
    same region; cutting first resizes only the pixels that are kept.
    """
    height, width = image.shape[:2]
    ratio = min(height, width) / spec.resize_to
    keep_h = max(1, round(spec.height_px * ratio))
    keep_w = max(1, round(spec.width_px * ratio))
    top, left = (height - keep_h) // 2, (width - keep_w) // 2
    return image[top : top + keep_h, left : left + keep_w]


def _checked(image: Any) -> np.ndarray:
    """A hook's answer; what is wrong with it fails the image and says why."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3:
        raise ImageError("not_an_image", "the hook `transform` must return H×W×3 uint8")
    if image.shape[2] != 3 or 0 in image.shape:
        raise ImageError("not_an_image", f"the hook `transform` returned shape {image.shape}")
    return image
