"""Videos as what they are to a site: pictures in order, each named by its time in the clip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fanfold.common import output
from fanfold.common.errors import INVALID, UserError

SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".mpg", ".mpeg", ".ts"))
JPEG_QUALITY = 95
#: Of the frames, and of the time, that a clip's own index promises: estimates are allowed for.
WHOLE = 0.95


def is_video(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def with_frames(files: list[Path], fps: float | None, folder: Path) -> list[Path]:
    """The files, with the frames of each video in its place; frames are written below `folder`.

    `fps`: so many frames for each second of a clip at most; None: every frame. Raises UserError.
    """
    if fps is not None and not any(is_video(file) for file in files):
        known = " ".join(sorted(SUFFIXES))
        raise UserError(f"--fps {fps:g}: none of the files is a video ({known})", INVALID)
    found: list[Path] = []
    for number, file in enumerate(files):
        if is_video(file):
            # A folder with a camera's name says which stream is meant.
            found += _frames(file, fps, folder / f"{number:06d}" / file.resolve().parent.name)
        else:
            found.append(file)
    return found


def _frames(file: Path, fps: float | None, folder: Path) -> list[Path]:
    """`clip.mp4#t=1.200.jpg` and so on, in order."""
    import cv2

    folder.mkdir(parents=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    written = []
    for time_s, pixels in _chosen(file, fps):
        target = folder / f"{file.name}#t={time_s:.3f}.jpg"
        if not cv2.imwrite(str(target), pixels, options):
            raise UserError(f"{target}: cannot be written. Check free space and permissions.")
        written.append(target)
    if not written:
        raise UserError(f"{file}: no frame of it can be read. Is it a whole video?", INVALID)
    return written


def _chosen(file: Path, fps: float | None) -> Iterator[tuple[float, object]]:
    """(seconds in the clip, pixels) of the first frame at or after each 1/fps."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is said below
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    import cv2

    capture = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise UserError(
                f"{file}: no video that can be read. A recording that was cut off has no index: "
                "let the recorder repair it, or record to .mkv or .ts",
                INVALID,
            )
        wanted_s = time_s = 0.0
        read = 0
        while True:
            whole, pixels = capture.read()
            if not whole:
                _warn_if_cut(file, capture, read, time_s)
                return
            read += 1
            time_s = max(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, 0.0)
            # Half a millisecond: clips keep their times rounded.
            if fps is None or time_s + 0.0005 >= wanted_s:
                yield time_s, pixels
                if fps is not None:
                    wanted_s = (int((time_s + 0.0005) * fps) + 1) / fps
    finally:
        capture.release()


def _warn_if_cut(file: Path, capture: Any, read: int, time_s: float) -> None:
    """A file that ends early reads like one that ends: only what it promised differs."""
    import cv2

    frames, rate = (capture.get(of) for of in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS))
    if not (frames > 0 and rate > 0):
        return
    length_s = frames / rate
    if read < frames * WHOLE and time_s < length_s * WHOLE - 1 / rate:
        output.warn(
            f"{file}: it ends at {time_s:.1f} s of {length_s:.1f} s, {read} of {frames:.0f} "
            "frames can be read: it was cut off or is damaged. What is there is sent"
        )
