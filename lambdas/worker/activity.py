"""Which stage works on what since when: what heartbeats report and the watchdog reads."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Callable, Iterator


class Activity:
    """Since when each stage has been busy with one thing. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: dict[str, float] = {}

    @contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        with self._lock:
            self._since[stage] = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._since.pop(stage, None)

    def longest(self) -> tuple[str, float]:
        """The stage that has been at one thing longest, and for how many seconds."""
        with self._lock:
            if not self._since:
                return "", 0.0
            stage, since = min(self._since.items(), key=lambda entry: entry[1])
            return stage, self._clock() - since
