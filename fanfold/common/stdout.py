"""Standard output that fails says so itself, whoever writes to it: rich, typer, a verb.

Their own ways differ: typer ends quietly with 1, rich exits, Python complains after the last line.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any


class StdoutError(Exception):
    """What was printed is not whole."""

    def __init__(self, error: Exception) -> None:
        self.reader_left = isinstance(error, BrokenPipeError)
        why = getattr(error, "strerror", None) or str(error)
        super().__init__(
            f"standard output: {why}; what was printed is not whole: free space there, or write "
            "it elsewhere (> FILE)"
        )


class _Checked:
    """A stream whose failed writes are StdoutErrors, and which else is that stream."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with _checking():
            return int(self._stream.write(text))

    def flush(self) -> None:
        with _checking():
            self._stream.flush()


class _Closed(io.TextIOBase):
    """For ``>&-``, where Python has none."""

    def write(self, _text: str) -> int:
        raise OSError(errno.EBADF, "is closed")


@contextlib.contextmanager
def _checking() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StdoutError(error) from error


@contextlib.contextmanager
def checked_stdout() -> Iterator[None]:
    """Raises StdoutError where something of what is printed meanwhile cannot be written."""
    before = sys.stdout
    sys.stdout = _Checked(_Closed() if before is None else before)
    try:
        yield
        sys.stdout.flush()
    except StdoutError:
        _drop_rest()
        raise
    finally:
        sys.stdout = before


def _drop_rest() -> None:
    """What is left in buffers is for nobody: Python would complain of it at the end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
