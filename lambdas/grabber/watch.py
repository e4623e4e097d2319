"""What is known of one camera: connecting, live, away or frozen, and since when. Pure."""

from __future__ import annotations

import zlib
from typing import Any

#: A process that has only begun loads OpenCV, then waits this long for the camera's first frame.
START_S = 20.0
# Above the reader's own limits: for what hangs where no limit reaches, a name server for one.
KILL_AFTER_S = 5.0


class Watch:
    """`now` is monotonic seconds."""

    def __init__(self, frozen_s: float, stall_s: float, now: float) -> None:
        self._frozen_s, self._stall_s = frozen_s, stall_s
        self.state, self.error, self.code = "connecting", "", ""
        self.stalls = self.frames = self.resized = 0
        self.picture: list[int] = []
        self.frame_at = now
        self._asked_at: float | None = None
        self.live = False
        self._same_since = now
        self._last = 0
        #: Frames that this process of the camera, and all of them, have read.
        self.read = self.sent = self._rate_from = 0
        self._rate_at = now

    @property
    def waits(self) -> bool:
        """For a frame that it was asked for."""
        return self._asked_at is not None

    def started(self) -> None:
        self._asked_at, self.live = None, False
        self.read = 0

    def asked(self, now: float) -> None:
        self._asked_at = now

    def hangs(self, now: float) -> bool:
        """Whether its process is to be killed: nothing came, and it does not say why."""
        limit_s = (self._stall_s if self.live else START_S) + KILL_AFTER_S
        return self._asked_at is not None and now - self._asked_at > limit_s

    def killed(self) -> None:
        self.ended("stalled", "its process hung and was ended; the camera is opened again.")

    def ended(self, code: str, detail: str) -> bool:
        """No frames for now; whether that is news."""
        news = detail != self.error
        self.stalls += code == "stalled"
        self.state, self.error, self.code = "away", detail, code
        self._asked_at, self.live = None, False
        return news

    def frame(self, head: dict[str, Any], content: bytes, now: float) -> list[str]:
        """A frame came; what is worth a line in the log."""
        said = [] if self.state in ("live", "frozen") else ["live"]
        self._asked_at, self.live = None, True
        self.frames += 1
        read = int(head.get("read", 0))
        self.sent += read - self.read
        self.frame_at, self.read = now, read
        picture = list(head.get("picture") or [])
        if self.picture and picture and picture != self.picture:
            self.resized += 1
            said.append("now {}x{}, was {}x{}".format(*picture, *self.picture))
        self.picture = picture or self.picture
        digest = zlib.crc32(content)
        if digest != self._last or self.state == "away":
            self._last, self._same_since = digest, now
        same_s = now - self._same_since
        frozen = bool(self._frozen_s) and same_s >= self._frozen_s
        if frozen and self.state != "frozen":
            said.append(f"frozen: the same picture for {same_s:.0f} s. Restart the camera")
        self.state, self.error, self.code = "frozen" if frozen else "live", "", ""
        return said

    def describe(self, now: float) -> dict[str, Any]:
        """For the stats, once a second."""
        span_s, read = now - self._rate_at, self.sent - self._rate_from
        self._rate_at, self._rate_from = now, self.sent
        return {
            "state": self.state,
            "error": self.error,
            "fps_in": round(read / span_s, 1) if span_s > 0 else 0.0,
            "read": self.sent,
            "frames": self.frames,
            "frame_age_s": round(now - self.frame_at, 1),
            "stalls": self.stalls,
            "resized": self.resized,
            "picture": self.picture,
            "frozen_s": round(now - self._same_since, 1) if self.state == "frozen" else 0.0,
        }
