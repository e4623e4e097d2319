"""The parts of a Motion JPEG answer (multipart/x-mixed-replace), one after the other."""

from __future__ import annotations

from typing import Any, Iterator

_READ = 1 << 16
_LONGEST_HEADER = 8_192


class TooLongError(Exception):
    """A part, or what stands before one, is longer than its limit."""


def parts(stream: Any, boundary: str, max_bytes: int) -> Iterator[bytes]:
    """Whole parts of `stream`, which has `read1`; a part that is cut off is not given out.

    With Content-Length, and without it: then a part ends at the next boundary.
    """
    # Some cameras have the two dashes in the parameter already, some write it in quotes.
    mark = b"--" + boundary.strip('"').encode().lstrip(b"-")
    held = b""
    while True:
        head, held = _until(stream, b"\r\n\r\n", held, _LONGEST_HEADER)
        if head is None:
            return
        length = _length(head)
        if length is None:
            part, held = _until(stream, b"\r\n" + mark, held, max_bytes)
            held = mark + held
        else:
            if length > max_bytes:
                raise TooLongError
            part, held = _exactly(stream, length, held)
        if part is None:
            return
        if part:
            yield part


def whole(stream: Any, length: int | None, max_bytes: int) -> bytes | None:
    """All of an answer of `length` bytes (None: up to its end); None: it broke off."""
    if length is not None and length > max_bytes:
        raise TooLongError
    if length is not None:
        return _exactly(stream, length, b"")[0]
    held = b""
    while True:
        more = stream.read1(_READ)
        if not more:
            return held
        held += more
        if len(held) > max_bytes:
            raise TooLongError


def _until(stream: Any, mark: bytes, held: bytes, limit: int) -> tuple[bytes | None, bytes]:
    """What stands before `mark`, and what was read behind it; None: the stream ended first."""
    looked = 0
    while True:
        at = held.find(mark, looked)
        if at >= 0:
            return held[:at], held[at + len(mark) :]
        if len(held) > limit + len(mark):
            raise TooLongError
        looked = max(len(held) - len(mark), 0)
        more = stream.read1(_READ)
        if not more:
            return None, b""
        held += more


def _exactly(stream: Any, length: int, held: bytes) -> tuple[bytes | None, bytes]:
    pieces, have = [held], len(held)
    while have < length:
        more = stream.read1(_READ)
        if not more:
            return None, b""
        pieces.append(more)
        have += len(more)
    whole = b"".join(pieces)
    return whole[:length], whole[length:]


def _length(head: bytes) -> int | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return None
