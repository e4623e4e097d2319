"""What cameras are told, and when: handed out only after the commit that makes it true."""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable

from contract import messages as m
from contract import topics
from lambdas.common.log import Throttle, get_logger

RETRY_AFTER_S = (0.5, 30.0)
FIRST_RETRY_S = 2.0
MAX_CAMERAS_SHOWN = 100  # the stats are one message

_log = get_logger("splitter")


class Answers:
    def __init__(self, images_topic: str, outstanding: Callable[[], int]) -> None:
        """`outstanding`: images without a record, which say how long a camera should wait."""
        self._images_topic = images_topic
        self._outstanding = outstanding
        self._accepted: list[tuple[str, dict[str, Any]]] = []
        self._rejected: list[tuple[str, dict[str, Any]]] = []
        self._rate_per_s: float | None = None
        self._throttle = Throttle(60.0)
        self.rejected: Counter[str] = Counter()
        self.by_camera: dict[str, Counter[str]] = {}

    @property
    def wait(self) -> bool:
        """Whether somebody is to be told of an acceptance."""
        return bool(self._accepted)

    def accept(self, camera: str, event_id: str, seq: int, count: int, duplicate: bool) -> None:
        body = {"v": m.VERSION, "id": event_id, "stream": camera, "seq": seq, "count": count}
        self._accepted.append((camera, dict(body, duplicate=duplicate)))

    def reject(self, camera: str, event_id: str, error: m.MessageError) -> None:
        self.rejected[error.reason] += 1
        if camera in self.by_camera or len(self.by_camera) < MAX_CAMERAS_SHOWN:
            self.by_camera.setdefault(camera, Counter())[error.reason] += 1
        if error.reason == "id_reused" and self._throttle.due(camera) is not None:
            _log.warning("%s: %s", camera, error.detail)
        body: dict[str, Any] = {"v": m.VERSION, "id": event_id, "stream": camera}
        body.update(reason=error.reason, detail=error.detail[: m.MAX_DETAIL_CHARS])
        if error.reason in ("busy", "no_space"):
            body["retry_after_s"] = self._retry_after_s()
        self._rejected.append((camera, body))

    def take_back(self, error: m.MessageError, holds: Callable[[str, int], bool]) -> None:
        """The commit failed: who was to be told `accepted` is told `error`.

        `holds`: whether a stream's number is durable; a duplicate of it stays accepted.
        """
        answers, self._accepted = self._accepted, []
        for camera, answer in answers:
            # A second copy in the same group is a duplicate of what was not taken.
            if answer["duplicate"] and holds(camera, answer["seq"]):
                self._accepted.append((camera, answer))
            else:
                self.reject(camera, answer["id"], error)

    def due(self) -> list[tuple[str, bytes]]:
        """Messages that may be sent now."""
        prefix = self._images_topic
        replies = [(topics.accepted(prefix + c), m.encode(body)) for c, body in self._accepted]
        replies += [(topics.rejected(prefix + c), m.encode(body)) for c, body in self._rejected]
        self._accepted, self._rejected = [], []
        return replies

    def finished(self, rate_per_s: float) -> None:
        """Images finished a second, told once a second. One second without any is no measure."""
        if self._rate_per_s is not None:
            self._rate_per_s = max(rate_per_s, self._rate_per_s / 2)
        elif rate_per_s:
            self._rate_per_s = rate_per_s

    def _retry_after_s(self) -> float:
        """Until a quarter of the backlog is done, as far as its speed is known."""
        if self._rate_per_s is None:
            return FIRST_RETRY_S
        wait_s = self._outstanding() / 4 / max(self._rate_per_s, 1.0)
        return round(min(max(wait_s, RETRY_AFTER_S[0]), RETRY_AFTER_S[1]), 1)
