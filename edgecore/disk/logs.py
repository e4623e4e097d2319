"""Reading the logs that functions and the core write: the last lines, and what comes.

A line is a JSON object (``t``, ``level``, ``logger``, ``message``; of an image ``image``,
``stream``, ``seq``) where Fanfold's own parts and the core wrote it, and text where somebody
else's function did.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

MAX_READ_BYTES = 256 * 1024
"""At most this much of a log at once: of a flood the newest is shown."""
MAX_LINE_BYTES = 16 * 1024


def names(folder: Path) -> list[str]:
    """Which logs there are: the functions' ids and ``core``."""
    return sorted(path.stem for path in folder.glob("*.log"))


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log and, where it was rotated a moment ago, of the one before."""
    content = _end(path)
    if content.count(b"\n") < count:
        content = _end(path.with_name(f"{path.name}.1")) + content
    return [_text(line) for line in deque(content.splitlines(), maxlen=count)]


class Tail:
    """``lines()`` gives what was written since the last call; a rotated file is followed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._file.seek(0, os.SEEK_END)
        self._rest = b""

    def lines(self) -> list[str]:
        content = self._rest + self._read()
        if self._rotated():
            self._file.close()
            self._file = self._path.open("rb")
            content += self._read()
        *whole, self._rest = content.split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            whole, self._rest = [*whole, self._rest], b""
        return [_text(line) for line in whole]

    def close(self) -> None:
        self._file.close()

    def _read(self) -> bytes:
        """What is new, at most ``MAX_READ_BYTES``; the middle of a flood is skipped."""
        waiting = os.fstat(self._file.fileno()).st_size - self._file.tell()
        if waiting > MAX_READ_BYTES:
            self._file.seek(-MAX_READ_BYTES, os.SEEK_END)
        return self._file.read(MAX_READ_BYTES)

    def _rotated(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False  # between the two renames of a rotation


def _end(path: Path) -> bytes:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - MAX_READ_BYTES))
            return log.read(MAX_READ_BYTES)
    except FileNotFoundError:
        return b""


def _text(line: bytes) -> str:
    return line[:MAX_LINE_BYTES].decode(errors="replace")
