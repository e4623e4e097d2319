"""Which share of a damaged JPEG never came.

libjpeg fills what never came with mid-grey and goes on, and a picture may be mid-grey of its
own. So each part of the scan is lengthened by a few bytes: behind a part that is whole they
stand after its last block and change nothing (T.81 B.1.1.5 ends it by its marker); where a
part ends early they are decoded in place of what is missing, and show where that begins.
"""

from __future__ import annotations

import re
import struct
from typing import Callable, Iterator, NamedTuple

import numpy as np

from lambdas.imaging.jpeg_header import Frame

Decode = Callable[[bytes], np.ndarray]
"""A JPEG's bytes → its pixels at full size, leniently."""

END = b"\xff\xd9"
_MARKER = re.compile(rb"\xff+([^\0\xff])")
_FIRST_FRAME, _RESTART_0, _RESTART_7 = 0xC0, 0xD0, 0xD7
_HUFFMAN = (0xC0, 0xC1)
_BITS_PER_BLOCK = 2
_MID_GREY = 128
#: No 0xFF, which begins a marker; no run that decodes to nothing but zeros.
_FILLING = bytes((73 * number + 41) % 251 for number in range(48))


class Part(NamedTuple):
    """Entropy-coded bytes up to a marker; `interval`: the number of the restart interval."""

    interval: int
    end_at: int


def surely_missing(data: bytes, frame: Frame) -> float:
    """Share of the MCUs for which a scan has no bits, 0…1, without decoding it: a header that
    promises a huge picture costs no memory. A block of a Huffman-coded scan takes two bits at
    least, a code for its mean and one for its end (T.81 F.1.2)."""
    if frame.marker not in _HUFFMAN:
        return 0.0
    possible = 8 * (len(data) - frame.scan_at) // (_BITS_PER_BLOCK * frame.components)
    return max(0.0, 1 - possible / frame.mcus)


def missing_share(data: bytes, frame: Frame, luma_of: Decode) -> float:
    """Share of the MCUs of a one-scan JPEG that never came, 0…1."""
    luma = luma_of(data)
    if not _mcus(luma == _MID_GREY, frame, np.logical_and).any():
        return 0.0
    parts = list(parts_of(data, frame))
    changed = _mcus(luma != luma_of(_lengthened(data, parts)), frame, np.logical_or)
    return _lost_mcus(changed, {part.interval for part in parts}, frame) / frame.mcus


def ends_early(data: bytes, frame: Frame, pixels_of: Decode) -> bool:
    """Whether the last scan of a JPEG of several is not all there."""
    end = data.rfind(END)
    last = Part(0, end if end > frame.scan_at else len(data))
    return not np.array_equal(pixels_of(data), pixels_of(_lengthened(data, [last])))


def parts_of(data: bytes, frame: Frame) -> Iterator[Part]:
    """The parts of the first scan. A marker ahead of the one due leaves intervals out; one that
    does not belong there ends the scan, for libjpeg as well."""
    (head_bytes,) = struct.unpack_from(">H", data, frame.scan_at + 2)
    interval = due = 0
    for marker in _MARKER.finditer(data, frame.scan_at + 2 + head_bytes):
        yield Part(interval, marker.start())
        code = marker.group(1)[0]
        if frame.restart_interval and _RESTART_0 <= code <= _RESTART_7:
            interval += 1 + (code - _RESTART_0 - due) % 8
            due = (code + 1) % 8
        elif not frame.restart_interval or code >= _FIRST_FRAME:
            return
    yield Part(interval, len(data))


def _lengthened(data: bytes, parts: list[Part]) -> bytes:
    pieces, at = [], 0
    for part in parts:
        pieces += [data[at : part.end_at], _FILLING]
        at = part.end_at
    return b"".join([*pieces, data[at:] or END])


def _lost_mcus(changed: np.ndarray, came: set[int], frame: Frame) -> int:
    """`changed`: for each MCU in scan order; `came`: intervals of which there are bytes."""
    length = frame.restart_interval or frame.mcus
    lost = 0
    for index, begin in enumerate(range(0, frame.mcus, length)):
        within = changed[begin : begin + length]
        if index not in came:
            lost += len(within)
        elif within.any():
            lost += len(within) - int(within.argmax())
    return lost


def _mcus(marks: np.ndarray, frame: Frame, joined: np.ufunc) -> np.ndarray:
    """Marks of pixels (H×W) joined to one for each MCU, in scan order."""
    width, height = frame.mcu_px
    columns = np.arange(0, marks.shape[1], width)
    rows = [
        joined.reduceat(joined.reduce(marks[top : top + height], axis=0), columns)
        for top in range(0, marks.shape[0], height)
    ]
    return np.concatenate(rows)
