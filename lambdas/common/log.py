"""Logging: one JSON object a line on stderr, which the core collects per function.

`{"t","level","logger","message"}`, and of an image `image` (its id), `stream` and `seq`;
`t` is epoch seconds.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Callable

_ROOT = "fanfold"


def get_logger(part: str) -> logging.Logger:
    return logging.getLogger(f"{_ROOT}.{part}")


def about(item: dict[str, Any]) -> dict[str, Any]:
    """`extra` of a log call: which image the line is about."""
    return {
        "about": {"image": item.get("id"), "stream": item.get("stream"), "seq": item.get("seq")}
    }


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "t": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "about", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str) -> None:
    """Log Fanfold's own lines at `level`; calling it again only changes the level."""
    root = logging.getLogger(_ROOT)
    root.setLevel(level)
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
        root.addHandler(handler)
        root.propagate = False


class Throttle:
    """Lets a repeated complaint through once per `every_s` and counts the others.

    >>> throttle = Throttle(10.0)
    >>> throttle.due("full") is None
    False
    """

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._last: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def due(self, subject: str) -> object:
        """How many were suppressed since the last time, or None: log nothing now."""
        now = self._clock()
        if now - self._last.get(subject, -self._every_s) < self._every_s:
            self._suppressed[subject] = self._suppressed.get(subject, 0) + 1
            return None
        self._last[subject] = now
        return self._suppressed.pop(subject, 0)
