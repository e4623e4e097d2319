"""Tidy up when the core stops a function: memory in /dev/shm outlives its process."""

from __future__ import annotations

import os
import signal
from typing import Any

from lambdas.tensors.folder import remove


def remove_at_the_end(path: str) -> None:
    """Remove `path` at SIGTERM, and then do what the core's runtime does there.

    By its name, and before anything is made: a function stopped while it loads its model
    also tidies up after the incarnation before it, which was killed.
    """
    earlier = signal.getsignal(signal.SIGTERM)

    def leave(number: int, frame: Any) -> None:
        remove(path)
        if callable(earlier):
            earlier(number, frame)
        else:
            os._exit(0)

    signal.signal(signal.SIGTERM, leave)
