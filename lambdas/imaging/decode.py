"""Encoded image → H×W×3 uint8, upright, whatever its format."""

from __future__ import annotations

from typing import Callable

import cv2
import numpy as np

from lambdas.imaging import pnm_header, samples, tiff_header
from lambdas.imaging.buffers import Buffer
from lambdas.imaging.damage import Damage
from lambdas.imaging.header import Header
from lambdas.imaging.jpeg_decode import JpegDecoder
from lambdas.imaging.opencv import AS_IT_IS, COLOUR, imdecode
from lambdas.imaging.png_header import still
from lambdas.imaging.rules import MAX_LOST, Sensor

#: EXIF orientation → what undoes it.
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.flip(cv2.transpose(image), -1),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
_PLAIN = Sensor()


class Decoder:
    """One per thread: what `decode` returns is overwritten by the next call."""

    def __init__(self, colour: str, max_lost: float = MAX_LOST) -> None:
        """`colour`: "rgb" or "bgr", the order of the channels returned, or "grey".

        `max_lost`: the share of a JPEG that may be missing, 0…1.
        """
        self._colour = {"grey": "GRAY"}.get(colour, colour.upper())
        self._jpeg = JpegDecoder(self._colour, max_lost)
        self._converted = Buffer()
        #: Of the image decoded last; None: none that its decoder knows of.
        self.damage: Damage | None = None

    def decode(
        self,
        data: bytes,
        header: Header,
        min_height_px: int,
        min_width_px: int,
        sensor: Sensor = _PLAIN,
    ) -> np.ndarray:
        """H×W×3 uint8, for "grey" H×W, upright by EXIF. Raises `ImageError`.

        A JPEG may come out smaller than it is, by the DCT's own 1/8 steps, but not below
        the minimum asked for; 0 asks for the full size.
        """
        self.damage = None
        if header.skip:
            data = data[header.skip :]
        if header.frame is not None:
            if header.orientation >= 5:
                min_height_px, min_width_px = min_width_px, min_height_px
            image = self._jpeg.decode(data, header.frame, min_height_px, min_width_px)
            self.damage = self._jpeg.damage
        else:
            image = self._any(data, header, sensor)
        turn = _UPRIGHT.get(header.orientation)
        return image if turn is None else turn(image)

    def _any(self, data: bytes, header: Header, sensor: Sensor) -> np.ndarray:
        if header.kind == "raw":
            image = samples.raw_frame(data, sensor)
        else:
            if header.kind == "animated png":
                data = still(data)
            elif header.kind == "pnm":
                data = pnm_header.plain(data)
            elif header.kind == "tiff":
                data = tiff_header.plain(data)
            plain = not sensor.bayer and header.kind in ("bmp", "webp")
            image = imdecode(data, COLOUR if plain else AS_IT_IS)
            if header.inverted:
                image = ~image
        image = samples.to_bgr(samples.to_eight_bits(image, sensor, header.bits), sensor)
        if self._colour == "BGR":
            return image
        if self._colour == "GRAY":
            return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=self._converted.shaped(*image.shape))
