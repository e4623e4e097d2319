"""Logging: one line per event on stderr, which the core collects per function."""

from __future__ import annotations

import logging
import sys
import time
from typing import Callable

_ROOT = "fanfold"


def get_logger(part: str) -> logging.Logger:
    return logging.getLogger(f"{_ROOT}.{part}")


def configure(level: str) -> None:
    """Log Fanfold's own lines at `level`; calling it again only changes the level."""
    root = logging.getLogger(_ROOT)
    root.setLevel(level)
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("[%(levelname)s] %(name)s: %(message)s"))
        root.addHandler(handler)
        root.propagate = False


class Sparingly:
    """Lets a repeated complaint through once per `every_s` and counts the others.

    >>> said = Sparingly(10.0)
    >>> said.due("full") is None
    False
    """

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._last: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def due(self, subject: str) -> object:
        """How many were held back since the last time, or None: say nothing now."""
        now = self._clock()
        if now - self._last.get(subject, -self._every_s) < self._every_s:
            self._held[subject] = self._held.get(subject, 0) + 1
            return None
        self._last[subject] = now
        return self._held.pop(subject, 0)
