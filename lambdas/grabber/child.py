"""The process of one camera: what a decoder crashes on, or hangs in, costs this camera alone.

The first line on stdin is what to open, with its secrets: never in arguments or environment. Each
further line asks for a frame. Each answer on stdout is a line of JSON, then `size` bytes; one
with `code` is the last: why it ended.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import deque
from typing import Any, BinaryIO, Iterator

from contract.camera_sources import GIGE, HTTP, kind_of_source
from lambdas.grabber import gige, http, video
from lambdas.grabber.errors import CameraError
from lambdas.grabber.frames import Frame, Newest
from lambdas.imaging.errors import ImageError
from lambdas.imaging.header import read_header

KEPT_LINES = 50
#: A camera's last picture waits so long for who asks for it; then it is told why there are no more.
LAST_FRAME_S = 1.0
EXIT_ENDED = 3


class PrintedLines:
    """What libraries print: kept for the cause of an error, and never shown as it is."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._end, write = os.pipe()
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.close(write)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with open(self._end, errors="replace") as said:
            for line in said:
                self.lines.append(line)

    def newest_first(self) -> list[str]:
        # C's own buffer: without this the cause comes after the effect.
        _flush_c()
        return list(self.lines)[::-1]


def _flush_c() -> None:
    import ctypes
    import time

    ctypes.CDLL(None).fflush(None)
    time.sleep(0.02)  # the reading thread has its turn


class Channel:
    """Answers to the parent; whoever writes last ends the process."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def frame(self, frame: Frame, read: int) -> None:
        content = frame.encoded or video.encoded(frame.pixels, frame.lossless)
        head = {"t": frame.t, "read": read, "size": len(content), "picture": _size(content)}
        self._write(head, content)

    def last(self, error: CameraError) -> None:
        """Say why, and end."""
        self._write({"code": error.code, "detail": str(error), "size": 0}, b"")
        os._exit(EXIT_ENDED)

    def _write(self, head: dict[str, Any], content: bytes) -> None:
        with self._lock:
            try:
                self._out.write(json.dumps(head).encode() + b"\n" + content)
                self._out.flush()
            except OSError:  # the parent is gone
                os._exit(0)


def _size(content: bytes) -> list[int]:
    """Width and height; [] where the header does not say."""
    try:
        header = read_header(content)
    except ImageError:
        return []  # the splitter or a worker refuses it, with its reason
    return [header.width_px, header.height_px]


def _frames(job: dict[str, Any], words: PrintedLines, newest: Newest) -> Iterator[Frame]:
    address, stall_s = job["address"], float(job["stall_s"])
    kind = kind_of_source(address)
    if kind == HTTP:
        return http.frames(address, stall_s, newest.wait_wanted)
    if kind == GIGE:
        return gige.frames(address, stall_s)
    return video.frames(address, kind, stall_s, words.newest_first)


def _read(job: dict[str, Any], words: PrintedLines, newest: Newest, channel: Channel) -> None:
    try:
        for frame in _frames(job, words, newest):
            newest.put(frame)
    except CameraError as error:
        why = error
    except Exception as error:
        # Its text may hold the address: only its kind is told.
        why = CameraError("broken", f"reading ended with {type(error).__name__}")
    else:
        return
    newest.wait_given(LAST_FRAME_S)
    channel.last(why)


def main() -> int:
    channel = Channel(os.fdopen(os.dup(1), "wb"))
    words = PrintedLines()
    video.prepare()
    job = json.loads(sys.stdin.buffer.readline())
    newest = Newest()
    threading.Thread(target=_read, args=(job, words, newest, channel), daemon=True).start()
    for _ in sys.stdin.buffer:
        channel.frame(newest.take(), newest.read)
        newest.given()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
