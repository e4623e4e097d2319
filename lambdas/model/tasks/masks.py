"""Masks as run lengths, in COCO's compressed form that pycocotools reads."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from lambdas.model.geometry import Placement
from lambdas.model.tasks.boxes import Candidates
from lambdas.model.tasks.fit import UnfitError


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """`{"size": [h, w], "counts": text}` of an H×W mask: runs of 0 and 1 in turn, 0 first,
    column by column, as COCO's API writes them (cocoapi, `rleToString`)."""
    flat = np.ascontiguousarray(mask.T, dtype=bool).reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate([[0], edges, [flat.size]])
    runs = np.diff(bounds).tolist()
    if flat.size and flat[0]:
        runs.insert(0, 0)
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": _text(runs)}


def _text(runs: list[int]) -> str:
    letters = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            letters.append(chr((bits | 0x20 if more else bits) + 48))
    return "".join(letters)


def instance_masks(
    found: Candidates, prototypes: np.ndarray, place: Placement, input_px: tuple[int, int]
) -> list[np.ndarray]:
    """A mask for each box, of the part of the input that shows the picture.

    `prototypes` is 32×h×w; a mask is what its coefficients make of them, enlarged to the
    input (width, height in `input_px`), from 0 on, and cut to its box.
    """
    if prototypes.ndim != 3 or found.masks is None or len(prototypes) != found.masks.shape[1]:
        raise UnfitError(f"prototypes 32×h×w are needed, the network gave {prototypes.shape}")
    logits = found.masks @ prototypes.reshape(len(prototypes), -1)
    masks = []
    for row, box in zip(logits.reshape(-1, *prototypes.shape[1:]), found.boxes):
        large = cv2.resize(row, input_px, interpolation=cv2.INTER_LINEAR) > 0
        inside = np.zeros(large.shape, bool)
        # A pixel belongs to the box from whose edge on it lies, as Ultralytics has it.
        x0, y0, x1, y1 = np.maximum(np.ceil(box).astype(int), 0)
        inside[y0:y1, x0:x1] = large[y0:y1, x0:x1]
        masks.append(inside[place.top : place.top + place.height_px,
                            place.left : place.left + place.width_px])  # fmt: skip
    return masks
