"""Whether there is no room for new images: said while it is so, and a little longer.

A refusal is news for `SHOWN_S`: nobody may send an image that would show that there is room.
"""

from __future__ import annotations

from typing import Any

SHOWN_S = 30.0


class Fullness:
    def __init__(self) -> None:
        self._detail = ""
        self._news = False
        self._since = float("-inf")

    def refused(self, detail: str) -> None:
        """Something found no room."""
        self._detail, self._news = detail, True

    def took(self) -> None:
        """Something was made durable."""
        self._detail, self._news = "", False

    def describe(self, now: float) -> dict[str, Any]:
        """For the stats, asked once a second."""
        if self._news:
            self._news, self._since = False, now
        if self._detail and now - self._since < SHOWN_S:
            return {"state": "full", "detail": self._detail}
        return {"state": "ready"}
