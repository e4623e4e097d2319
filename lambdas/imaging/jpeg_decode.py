"""JPEG → pixels: strictly first; what a strict decoder refuses is measured before it is used."""

from __future__ import annotations

import cv2
import numpy as np

from lambdas.imaging.buffers import Buffer
from lambdas.imaging.damage import Damage, Reader, as_written, examine
from lambdas.imaging.errors import ImageError
from lambdas.imaging.jpeg_header import Frame, without_strays
from lambdas.imaging.missing import END
from lambdas.imaging.opencv import COLOUR, GREY, imdecode

try:
    import simplejpeg
except ImportError:  # No wheel for this device: OpenCV decodes everything.
    simplejpeg = None

_NO_LOSSLESS = ImageError(
    "unsupported", "lossless JPEG of these colours, or on this device: send a usual JPEG or PNG"
)
_UNWARNED = "measured: OpenCV does not warn"


class JpegDecoder:
    """One per thread; the array that it returns is overwritten by the next call."""

    def __init__(self, colour: str, max_lost: float) -> None:
        """`colour`: "RGB", "BGR" or "GRAY"; `max_lost`: the share that may be missing, 0…1."""
        self._colour = colour
        self._max_lost = max_lost
        self._pixels = Buffer()
        #: Of the picture decoded last; None: none that a decoder knows of.
        self.damage: Damage | None = None

    def decode(
        self, data: bytes, frame: Frame, min_height_px: int, min_width_px: int
    ) -> np.ndarray:
        """H×W×3 uint8, for "GRAY" H×W, not turned. Raises `ImageError`."""
        self.damage = None
        if simplejpeg is None:
            return self._by_opencv(data, frame)
        # The decoder would enlarge nothing, and says no to more than there is.
        smallest = {
            "min_height": min(min_height_px or frame.height_px, frame.height_px),
            "min_width": min(min_width_px or frame.width_px, frame.width_px),
        }
        try:
            return self._turbo(data, frame, smallest)
        except ValueError as error:
            said = str(error)
        self._pixels = Buffer()  # a picture that will be refused shall not be there twice
        data, frame = without_strays(as_written(data, frame), frame)
        try:
            reader = Reader(lambda written: self._turbo(written, frame, smallest), _luma, _pixels)
            self.damage = examine(data, frame, said, reader, self._max_lost)
            return self._turbo(data, frame, smallest, strict=False)
        except ImageError:
            raise
        except ValueError:  # not even leniently; an ImageError is one too
            raise _error(said) from None

    def _turbo(
        self, data: bytes, frame: Frame, smallest: dict[str, int], strict: bool = True
    ) -> np.ndarray:
        channels = 1 if self._colour == "GRAY" else 3
        image = simplejpeg.decode_jpeg(
            data,
            colorspace=self._colour,
            buffer=self._pixels.flat(frame.height_px * frame.width_px * channels),
            strict=strict,
            **smallest,
        )
        return image if channels == 3 else image[..., 0]

    def _by_opencv(self, data: bytes, frame: Frame) -> np.ndarray:
        """OpenCV warns of nothing: what is missing is measured on every image."""
        if frame.lossless:
            raise _NO_LOSSLESS
        written = as_written(data, frame)
        damage = examine(written, frame, _UNWARNED, _BY_OPENCV, self._max_lost)
        if damage.lost or END not in data[frame.scan_at :]:
            self.damage = damage
        image = imdecode(written + END, GREY if self._colour == "GRAY" else COLOUR)
        return image if self._colour != "RGB" else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


#: OpenCV gives no picture at all where the end marker is missing.
_BY_OPENCV = Reader(
    None,
    lambda written: imdecode(written + END, GREY),
    lambda written: imdecode(written + END, COLOUR),
)


def _luma(data: bytes) -> np.ndarray:
    return simplejpeg.decode_jpeg(data, "GRAY", strict=False)[..., 0]


def _pixels(data: bytes) -> np.ndarray:
    return simplejpeg.decode_jpeg(data, "BGR", strict=False)


def _error(text: str) -> ImageError:
    if "color conversion" in text:
        return _NO_LOSSLESS
    early = "premature" in text.lower() or "ended" in text.lower()
    return ImageError("truncated" if early else "not_an_image", f"JPEG: {text[:200]}")
