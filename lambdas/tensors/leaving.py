"""Tidy up when the core stops a function: memory in /dev/shm outlives its process."""

from __future__ import annotations

import os
import signal
from typing import Any, Callable


def before_the_end(tidy: Callable[[], None]) -> None:
    """Call `tidy` at SIGTERM, and then do what the core's runtime does there."""
    earlier = signal.getsignal(signal.SIGTERM)

    def leave(number: int, frame: Any) -> None:
        tidy()
        if callable(earlier):
            earlier(number, frame)
        else:
            os._exit(0)

    signal.signal(signal.SIGTERM, leave)
