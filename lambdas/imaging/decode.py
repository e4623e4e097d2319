"""Encoded image → H×W×3 uint8, with buffers that are kept from image to image.

Two arrays of some megabytes per image, mapped, zeroed and unmapped again, cost 1,980
page faults and a third of the transform's time in a fresh worker. So every buffer here
lives as long as its owner and only grows.
"""

from __future__ import annotations

from typing import Callable

import cv2
import numpy as np

from lambdas.imaging import samples
from lambdas.imaging.damage import (
    Damage,
    Reader,
    check_restarts,
    examine,
    missing_share,
    without_zero_tail,
)
from lambdas.imaging.errors import ImageError
from lambdas.imaging.header import Header
from lambdas.imaging.png_header import still
from lambdas.imaging.rules import MAX_LOST, Sensor

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


_PLAIN = Sensor()


class Decoder:
    """One per thread: what `decode` returns is overwritten by the next call."""

    def __init__(self, colour: str, max_lost: float = MAX_LOST) -> None:
        """`colour`: "rgb" or "bgr", the order of the channels returned.

        `max_lost`: the share of a JPEG that may be missing, 0…1.
        """
        self._colour = colour.upper()
        self._max_lost = max_lost
        self._pixels = Buffer()
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
    ):
        """H×W×3 uint8, upright by EXIF. Raises `ImageError`.

        A JPEG may come out smaller than it is, by the DCT's own 1/8 steps, but not below
        the minimum asked for; 0 asks for the full size.
        """
        self.damage = None
        if header.skip:
            data = data[header.skip :]
        if header.kind == "jpeg":
            image = self._jpeg(data, header, min_height_px, min_width_px)
        else:
            image = self._any(data, header, sensor)
        turn = _UPRIGHT.get(header.orientation)
        return image if turn is None else turn(image)

    def _jpeg(self, data: bytes, header: Header, min_height_px: int, min_width_px: int):
        if simplejpeg is None:
            return self._jpeg_by_opencv(data, header)
        if header.orientation >= 5:
            min_height_px, min_width_px = min_width_px, min_height_px
        # The decoder would enlarge nothing, and says no to more than there is.
        smallest = {
            "min_height": min(min_height_px or header.height_px, header.height_px),
            "min_width": min(min_width_px or header.width_px, header.width_px),
        }
        try:
            return self._turbo(data, header, smallest)
        except ValueError as error:
            said = str(error)
        self._pixels = Buffer()  # a picture that will be refused shall not be there twice
        data = without_zero_tail(data, header.frame)
        try:
            reader = Reader(lambda b: self._turbo(b, header, smallest), _grey)
            self.damage = examine(data, header.frame, said, reader, self._max_lost)
            return self._turbo(data, header, smallest, strict=False)
        except ImageError:
            raise
        except ValueError:  # not even leniently; an ImageError is one too
            raise _jpeg_error(said) from None

    def _turbo(self, data: bytes, header: Header, smallest: dict[str, int], strict: bool = True):
        return simplejpeg.decode_jpeg(
            data,
            colorspace=self._colour,
            buffer=self._pixels.flat(header.height_px * header.width_px * 3),
            strict=strict,
            **smallest,
        )

    def _jpeg_by_opencv(self, data: bytes, header: Header):
        """OpenCV warns of nothing: what is missing is measured on every image."""
        check_restarts(data, header.frame)
        written = without_zero_tail(data, header.frame) + _END
        image = self._in_order(_opencv(written, _COLOUR))
        lost = missing_share(_opencv(written, _GREY), header.frame.mcu_px)
        if lost > self._max_lost:
            raise ImageError("truncated", f"JPEG: {lost:.1%} of the picture is missing")
        if lost or _END not in data[header.frame.scan_at :]:
            self.damage = Damage(lost, "mid-grey blocks, or no end")
        return image

    def _any(self, data: bytes, header: Header, sensor: Sensor):
        if header.kind == "raw":
            image = samples.raw_frame(data, sensor)
        else:
            if header.kind == "animated png":
                data = still(data)
            plain = not sensor.bayer and header.kind in ("bmp", "webp")
            image = _opencv(data, _COLOUR if plain else _AS_IT_IS)
        image = samples.to_eight_bits(image, sensor, header.bits)
        return self._in_order(samples.to_bgr(image, sensor))

    def _in_order(self, image: np.ndarray):
        if self._colour == "BGR":
            return image
        out = self._converted.shaped(*image.shape)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=out)


_END = b"\xff\xd9"
_COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
_AS_IT_IS = cv2.IMREAD_UNCHANGED


def _opencv(data: bytes, flags: int) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError("not_an_image", f"not decoded: {str(error)[:200]}") from None
    if image is None:
        raise ImageError("not_an_image", "its header is sound, its content is not")
    return image


def _grey(data: bytes) -> np.ndarray:
    return simplejpeg.decode_jpeg(data, "GRAY", strict=False)[..., 0]


def _jpeg_error(text: str) -> ImageError:
    early = "premature" in text.lower() or "ended" in text.lower()
    return ImageError("truncated" if early else "not_an_image", f"JPEG: {text[:200]}")
