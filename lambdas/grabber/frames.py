"""One picture on its way from a camera, and the slot in which the newest one wins."""

from __future__ import annotations

import threading
import time
from typing import Any, NamedTuple

from lambdas.common.waiting import WakeUp


class Frame(NamedTuple):
    """Either the camera's own `encoded` bytes or `pixels` (BGR or grey); `t`: seconds since 1970.

    `lossless`: they have not been compressed yet, and shall not lose by it.
    """

    t: float
    encoded: bytes = b""
    pixels: Any = None
    lossless: bool = False


class Newest:
    """A reader puts, at the camera's pace; a taker takes, at its own. What nobody took is gone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._wanted = self._in_hand = False
        self._had = WakeUp()
        #: Frames that were read.
        self.read = 0

    def put(self, frame: Frame) -> None:
        with self._changed:
            self._frame, self._wanted = frame, False
            self.read += 1
            self._changed.notify_all()

    def wait_wanted(self) -> None:
        """For a reader that asks the camera for each picture: until somebody waits for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted)

    def take(self) -> Frame:
        """The newest that nobody has had; waits for it."""
        with self._changed:
            self._wanted = True
            self._changed.notify_all()
            while self._frame is None:
                self._changed.wait()
            frame, self._frame = self._frame, None
            self._in_hand = True
            return frame

    def given(self) -> None:
        """What was taken has arrived."""
        with self._changed:
            self._in_hand = False
        self._had.wake()

    def wait_given(self, timeout_s: float) -> None:
        """For a reader at its end: until somebody has had the last frame, or the time is over."""
        until = time.monotonic() + timeout_s
        while not self._all_had():
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            self._had.is_woken_within(left_s)

    def _all_had(self) -> bool:
        with self._changed:
            return self._frame is None and not self._in_hand
