"""GigE Vision cameras, through Aravis where the device's system has it."""

from __future__ import annotations

from typing import Any, Iterator
from urllib.parse import urlsplit

from lambdas.grabber.aravis import AravisError, Image, Stream
from lambdas.grabber.errors import CameraError
from lambdas.grabber.frames import Frame
from lambdas.grabber.pixel_formats import FORMATS, PixelFormat


def frames(address: str, stall_s: float) -> Iterator[Frame]:
    """Every whole frame, stamped when it came, not when it was read.

    Raises `CameraError`: a stream never just ends.
    """
    try:
        stream = Stream(urlsplit(address).hostname or "")
    except AravisError as error:
        code = "no_aravis" if error.missing else "no_gige"
        raise CameraError(code, str(error)) from None
    while True:
        image = stream.image(stall_s)
        if image is None:
            raise CameraError("stalled", f"no whole frame for {stall_s:g} s")
        yield Frame(image.time_s, pixels=pixels_of(image), lossless=True)


def pixels_of(image: Image) -> Any:
    """H×W grey or H×W×3 BGR, uint8. Raises `CameraError`."""
    import cv2
    import numpy as np

    from lambdas.imaging import samples

    form = _format_of(image)
    if form.colour in ("rgb", "bgr"):
        shape = (image.height_px, image.width_px, 3)
        pixels = np.frombuffer(image.data, np.uint8, np.prod(shape)).reshape(shape)
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if form.colour == "rgb" else pixels
    sensor = form.sensor._replace(width_px=image.width_px, height_px=image.height_px)
    frame = samples.raw_frame(image.data[: sensor.raw_bytes], sensor)
    eight = samples.to_eight_bits(frame, sensor, form.bits)
    return samples.to_bgr(eight, sensor) if sensor.bayer else eight


def _format_of(image: Image) -> PixelFormat:
    form = FORMATS.get(image.pixel_format)
    if form is None:
        raise CameraError(
            "pixel_format", f"its pixel format 0x{image.pixel_format:08X} is not read"
        )
    return form
