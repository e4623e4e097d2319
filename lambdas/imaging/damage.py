"""What a damaged JPEG still shows: which share of it never came, and whether it is in place.

A picture that strict decoding refuses is decoded once more leniently and what is missing is
measured (`imaging.missing`). A restart marker that is out of step by more than two shifts
everything behind it (T.81 F.2.2.4 lets a decoder resynchronise to the next two), which no
pixel would tell.
"""

from __future__ import annotations

import re
import struct
from typing import Callable, NamedTuple

from contract.image_kinds import JPEG
from lambdas.imaging.errors import ImageError
from lambdas.imaging.jpeg_header import Frame
from lambdas.imaging.missing import (
    END,
    Decode,
    ends_early,
    missing_share,
    parts_of,
    surely_missing,
)

#: A preallocated or sparse file: zeros up to its end, or to the end marker put behind them.
_NUL_TAIL = re.compile(rb"\0{64,}(?:\xff\xd9.{0,64})?\Z", re.S)
#: Another picture begins although this one has not ended: a connection that was opened anew.
_NEXT_PICTURE = re.compile(re.escape(JPEG.magic))
#: What no encoder writes within a scan that is not flat: a hole, or lines of a protocol.
_FOREIGN = re.compile(rb"\0{256,}|[\r\n\x20-\x7e]{48,}")
_SCAN = re.compile(rb"\xff\xda")
_IN_STEP = 2
OUT_OF_PLACE = "without restart markers, what follows a gap may be out of place"
_COEFFICIENTS = 64


class Damage(NamedTuple):
    """`lost`: share of the picture that never came, 0…1; `detail`: what the decoder said."""

    lost: float
    detail: str

    def as_record(self) -> dict[str, object]:
        return {"lost": round(self.lost, 4), "detail": self.detail[:200]}


class Reader(NamedTuple):
    """How bytes are decoded here, at full size. `strict` raises `ValueError` on any warning;
    None: the decoder warns of nothing."""

    strict: Callable[[bytes], object] | None
    luma: Decode
    pixels: Decode


def as_written(data: bytes, frame: Frame) -> bytes:
    """What was written of it: without the next picture, and without the zeros of a file that
    was allocated at its full size first."""
    after = _NEXT_PICTURE.search(data, frame.scan_at)
    data = data[: after.start()] if after else data
    tail = _NUL_TAIL.search(data, frame.scan_at)
    return data[: tail.start()] if tail else data


def examine(data: bytes, frame: Frame, said: str, reader: Reader, max_lost: float) -> Damage:
    """What is lost of a JPEG that strict decoding refused, saying `said`.

    Raises `ImageError` where more than `max_lost` is, or what is there is out of place.
    """
    _check_restarts(data, frame)
    scans = _scans(data, frame)
    if scans.complete and _lacks_only_its_end(data, reader):
        return Damage(0.0, said)
    if frame.progressive or scans.seen > 1:
        # A cut blurs such a picture or takes its colours: no part of it is simply missing.
        if not scans.complete or ends_early(data, frame, reader.pixels):
            raise ImageError("truncated", f"JPEG of {scans.seen} scans, not all whole: {said}")
        return Damage(0.0, said)
    surely = surely_missing(data, frame)
    lost = surely if surely > max_lost else missing_share(data, frame, reader.luma)
    if lost > max_lost:
        raise ImageError(
            "truncated",
            f"JPEG: {lost:.1%} of the picture is missing, limit {max_lost:.1%}: {said}",
        )
    if lost:
        _check_foreign(data, frame)
    return Damage(lost, said + _doubt(data, frame, said, lost))


def _doubt(data: bytes, frame: Frame, said: str, lost: float) -> str:
    """A scan that came to its end with too few blocks, or with bytes left over, may have lost
    some in the middle; a decoder finds its way again (Huffman codes synchronise) and cannot tell
    where it was lost."""
    ended = END in data[frame.scan_at :]
    if frame.restart_interval or not ended or not (lost or "extraneous" in said):
        return ""
    return f"; {OUT_OF_PLACE}"


def _check_restarts(data: bytes, frame: Frame) -> None:
    """Raises `ImageError` at the first restart marker that is too far from the one due."""
    if frame.progressive:
        return
    before = -1
    for part in parts_of(data, frame):
        if part.interval - before - 1 > _IN_STEP:
            raise ImageError(
                "truncated",
                f"JPEG: restart marker {(part.interval - 1) % 8} where {(before + 1) % 8} is due, "
                "what follows is out of place",
            )
        before = part.interval


def _check_foreign(data: bytes, frame: Frame) -> None:
    """Without restart markers, what stands behind a hole is out of place. Raises `ImageError`.

    Only of a picture that is known to be damaged: one code again and again, as in a flat
    picture with tables of its own, may be zeros too.
    """
    foreign = None if frame.restart_interval else _FOREIGN.search(data, frame.scan_at)
    if foreign:
        what = "zeros" if foreign.group()[:1] == b"\0" else "lines of text"
        raise ImageError(
            "truncated",
            f"JPEG with {what} within its scan, at byte {foreign.start()}: what follows is out of"
            " place",
        )


def _lacks_only_its_end(data: bytes, reader: Reader) -> bool:
    if reader.strict is None:
        return False
    try:
        reader.strict(data + END)
    except ValueError:
        return False
    return True


class _Scans(NamedTuple):
    """`seen`: scans; `complete`: every coefficient of every component was begun to its last bit."""

    seen: int
    complete: bool


def _scans(data: bytes, frame: Frame) -> _Scans:
    """From the scan headers alone (T.81 B.2.3, G.1.1.1)."""
    bits: dict[int, list[int]] = {}
    count = 0
    for found in _SCAN.finditer(data, frame.scan_at):
        at = found.start() + 4
        try:
            components = data[at]
            ids = [data[at + 1 + 2 * index] for index in range(components)]
            first, last, exact = struct.unpack_from("BBB", data, at + 1 + 2 * components)
        except (IndexError, struct.error):
            return _Scans(count + 1, False)
        if not 1 <= components <= 4 or last >= _COEFFICIENTS:
            continue
        count += 1
        for component in ids:
            missing = bits.setdefault(component, [1] * _COEFFICIENTS)
            missing[first : last + 1] = [exact & 15] * (last + 1 - first)
    whole = len(bits) >= frame.components and not any(any(left) for left in bits.values())
    return _Scans(count, whole)
