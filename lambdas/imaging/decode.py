"""Encoded image → H×W×3 uint8, with buffers that are kept from image to image.

Two arrays of some megabytes per image, mapped, zeroed and unmapped again, cost 1,980
page faults and a third of the transform's time in a fresh worker. So every buffer here
lives as long as its owner and only grows.
"""

from __future__ import annotations

from typing import Callable

import cv2
import numpy as np

from lambdas.imaging.header import Header, ImageError

try:
    import simplejpeg
except ImportError:  # No wheel for this device: OpenCV decodes everything.
    simplejpeg = None

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


class Buffer:
    """Memory for arrays of changing shape; it grows and never shrinks."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def flat(self, size: int) -> np.ndarray:
        if self._memory.size < size:
            self._memory = np.empty(size, np.uint8)
        return self._memory

    def shaped(self, *shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return self.flat(size)[:size].reshape(shape)


class Decoder:
    """One per thread: what `decode` returns is overwritten by the next call."""

    def __init__(self, colour: str) -> None:
        """`colour`: "rgb" or "bgr", the order of the channels returned."""
        self._colour = colour.upper()
        self._pixels = Buffer()
        self._converted = Buffer()

    def decode(
        self, data: bytes, header: Header, min_height_px: int, min_width_px: int
    ) -> np.ndarray:
        """H×W×3 uint8, upright by EXIF. Raises `ImageError`.

        A JPEG may come out smaller than it is, by the DCT's own 1/8 steps, but not below
        the minimum asked for; 0 asks for the full size.
        """
        if header.kind == "jpeg" and simplejpeg is not None:
            image = self._jpeg(data, header, min_height_px, min_width_px)
        else:
            image = self._any(data)
        turn = _UPRIGHT.get(header.orientation)
        return image if turn is None else turn(image)

    def _jpeg(
        self, data: bytes, header: Header, min_height_px: int, min_width_px: int
    ) -> np.ndarray:
        if header.orientation >= 5:
            min_height_px, min_width_px = min_width_px, min_height_px
        whole = header.height_px * header.width_px * 3
        try:
            return simplejpeg.decode_jpeg(
                data,
                colorspace=self._colour,
                # The decoder would enlarge nothing, and says no to more than there is.
                min_height=min(min_height_px or header.height_px, header.height_px),
                min_width=min(min_width_px or header.width_px, header.width_px),
                buffer=self._pixels.flat(whole),
                strict=True,
            )
        except ValueError as error:
            raise _jpeg_error(str(error)) from None

    def _any(self, data: bytes) -> np.ndarray:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem:
                raise MemoryError(str(error)[:200]) from None
            raise ImageError("not_an_image", f"not decoded: {str(error)[:200]}") from None
        if image is None:
            raise ImageError("not_an_image", "its header is sound, its content is not")
        if self._colour == "BGR":
            return image
        out = self._converted.shaped(*image.shape)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=out)


def _jpeg_error(text: str) -> ImageError:
    early = "premature" in text.lower() or "ended" in text.lower()
    return ImageError("truncated" if early else "not_an_image", f"JPEG: {text[:200]}")
