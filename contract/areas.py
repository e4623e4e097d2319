"""Areas of a picture: boxes, and masks in COCO's compressed run lengths. Pure, no numpy."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, Iterator, List, Sequence, Tuple

Spans = List[Tuple[int, int]]
"""Half-open ranges of pixels that a mask covers, ascending."""


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of [x0, y0, x1, y1]; 0 for empty boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared / (areas - shared)


def spans(mask: Any) -> Spans:
    """Of `{"size": [h, w], "counts": text}` (docs/spec/model-package.md). Raises ValueError."""
    runs = list(_runs(mask["counts"]))
    ends = list(accumulate(runs))
    if any(run < 0 for run in runs):
        raise ValueError("a mask's run is negative")
    return [(end - run, end) for run, end in zip(runs[1::2], ends[1::2]) if run]


def shared_pixels(a: Spans, b: Spans) -> int:
    """Pixels that both cover."""
    total = i = j = 0
    while i < len(a) and j < len(b):
        total += max(0, min(a[i][1], b[j][1]) - max(a[i][0], b[j][0]))
        if a[i][1] <= b[j][1]:
            i += 1
        else:
            j += 1
    return total


def _runs(text: str) -> Iterator[int]:
    """Five bits a character from `0` on, the lowest first; from the fourth run on each is the
    difference to the one before the last (cocoapi, `rleFrString`)."""
    before: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        if len(before) > 2:
            value += before[-2]
        before.append(value)
        yield value
        value = shift = 0
