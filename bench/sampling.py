"""Something looked at again and again beside a run, by a thread that ends with the block."""

from __future__ import annotations

import threading
from typing import TypeVar

_Own = TypeVar("_Own", bound="Sampling")


class Sampling:
    """`with` starts a thread that calls `sample` every `every_s` seconds; leaving ends it.

    `ready` may say that there is nothing to look at: then no thread is started.
    """

    every_s = 1.0

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def ready(self) -> bool:
        return True

    def sample(self) -> None:
        """One look, in the thread."""
        raise NotImplementedError

    def ended(self) -> None:
        """After the last look, in the thread."""

    def __enter__(self: _Own) -> _Own:
        if self.ready():
            self._thread = threading.Thread(target=self._loop, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while not self._over.wait(self.every_s):
            self.sample()
        self.ended()
