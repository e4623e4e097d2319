"""One bounded log per function: the current file and one older, half the space each."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO

DEFAULT_SPACE_BYTES = 8 * 1024 * 1024


class LogFile:
    """Appends lines; never raises into the function's life: a full disk loses log lines."""

    def __init__(self, path: Path, space_bytes: int = DEFAULT_SPACE_BYTES) -> None:
        self.path = path
        self._limit = max(4096, space_bytes // 2)
        self._stream: BinaryIO | None = None
        self._size = 0
        self.lost = 0
        # There from the start: who looks for a function's log finds that it said nothing yet.
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def write(self, data: bytes) -> None:
        """``data``: whole lines."""
        try:
            if self._stream is None or self._size + len(data) > self._limit:
                self._rotate()
            if self._stream is not None:
                self._stream.write(data)
                self._size += len(data)
        except OSError:
            self.lost += 1

    def _rotate(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        size = self.path.stat().st_size if self.path.exists() else 0
        if size >= self._limit or self._size:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            size = 0
        self._stream = self.path.open("ab", buffering=0)
        self._size = size

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
