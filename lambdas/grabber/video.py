"""RTSP and USB cameras, by OpenCV: it is on every device, with FFmpeg and V4L2 inside."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Iterator, List

from contract.camera_sources import RTSP
from lambdas.grabber.errors import CameraError, of_ffmpeg
from lambdas.grabber.frames import Frame

OPEN_S = 10.0
JPEG_QUALITY = 92
# TCP: what UDP loses is decoded to smears without an error. Half a second to learn the format of
# a camera that does not declare it; what is read meanwhile is not kept.
FFMPEG_OPTIONS = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay|analyzeduration;500000"
FFMPEG_ERRORS = "16"

Said = Callable[[], List[str]]


def prepare() -> None:
    """Before OpenCV is loaded: it reads these once."""
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = FFMPEG_OPTIONS
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = FFMPEG_ERRORS
    os.environ["OPENCV_LOG_LEVEL"] = "SILENT"


def frames(address: str, kind: str, stall_s: float, said: Said) -> Iterator[Frame]:
    """Every frame, stamped when it came. `said`: what FFmpeg has printed so far.

    Raises `CameraError`: a stream never just ends.
    """
    capture = _open(address, kind, stall_s, said)
    while True:
        asked = time.monotonic()
        whole, pixels = capture.read()
        if not whole:
            silent_s = time.monotonic() - asked
            if silent_s >= stall_s * 0.9:
                raise CameraError("stalled", f"no frame for {silent_s:.1f} s")
            raise of_ffmpeg(said(), CameraError("ended", "the camera ended the stream"))
        yield Frame(time.time(), pixels=pixels)


def _open(address: str, kind: str, stall_s: float, said: Said) -> Any:
    import cv2

    if kind == RTSP:
        capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(OPEN_S * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(stall_s * 1000),
            # Threads of the decoder add a frame of delay each.
            cv2.CAP_PROP_N_THREADS, 1,
        ])  # fmt: skip
        if not capture.isOpened():
            raise of_ffmpeg(said(), CameraError("unreadable", "the stream cannot be opened"))
        return capture
    path = address.partition("://")[2]
    if not os.path.exists(path):
        raise CameraError("no_device", f"{path} is not there")
    if not os.access(path, os.R_OK | os.W_OK):
        raise CameraError("no_device", f"{path} may not be opened by this function")
    capture = cv2.VideoCapture(path, cv2.CAP_V4L2, [
        cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"),
    ])  # fmt: skip
    if not capture.isOpened():
        raise CameraError("no_device", f"{path} is no camera, or another program has it")
    return capture


def encoded(pixels: Any, lossless: bool = False) -> bytes:
    """A JPEG with its colours at full resolution, or a PNG."""
    import cv2

    suffix = ".png" if lossless else ".jpg"
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if lossless else options
    whole, content = cv2.imencode(suffix, pixels, options)
    if not whole:
        raise CameraError("broken", f"a frame of shape {pixels.shape} cannot be encoded")
    return bytes(content)
