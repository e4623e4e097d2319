"""OpenCV's decoder, with its ways to fail told apart."""

from __future__ import annotations

import cv2
import numpy as np

from lambdas.imaging.errors import ImageError

COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
AS_IT_IS = cv2.IMREAD_UNCHANGED


def imdecode(data: bytes, flags: int) -> np.ndarray:
    """Raises `ImageError`; `MemoryError` where the machine has no room for it."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)[:200]) from None
        raise ImageError("not_an_image", f"not decoded: {str(error)[:200]}") from None
    if image is None:
        raise ImageError("not_an_image", "its header is sound, its content is not")
    return image
