"""What has to hold of a network's outputs before they may become a result."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

#: float16 networks and rounding leave scores a little outside 0…1.
SLACK = 1e-3


class UnfitError(ValueError):
    """An output that does not fit its package: an error record with this reason, no label."""


def tensors(outputs: Sequence[Any], names: Sequence[str], hooked: bool) -> None:
    """Every output has to be a tensor, and of numbers where no hook reads it."""
    for name, output in zip(names, outputs):
        if not isinstance(output, np.ndarray):
            what = f"a {'sequence' if isinstance(output, list) else type(output).__name__}"
        elif not hooked and output.dtype.kind not in "biuf":
            what = "a tensor of words"
        else:
            continue
        raise UnfitError(
            f"the network's output {name!r} is {what}, not a tensor of numbers: export it without "
            "that output (ZipMap, names of classes)"
        )


def finite(values: np.ndarray, what: str) -> np.ndarray:
    if not np.isfinite(values).all():
        bad = int(values.size - np.isfinite(values).sum())
        raise UnfitError(f"the network gave {what} that are not finite ({bad} of {values.size})")
    return values


def scores_in_range(scores: np.ndarray, remedy: str) -> np.ndarray:
    """The scores, cut to 0…1 where rounding left them a little outside."""
    if scores.size:
        low, high = float(scores.min()), float(scores.max())
        if low < -SLACK or high > 1 + SLACK:
            worst = high if high > 1 + SLACK else low
            raise UnfitError(f"the network gave a score of {worst:.4g}, outside 0…1: {remedy}")
    return np.clip(scores, 0.0, 1.0)


def classes_known(classes: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Whole numbers that name one of `labels` (any, where there are none)."""
    whole = np.rint(classes)
    if classes.size and np.abs(classes - whole).max() > SLACK:
        odd = float(classes[np.argmax(np.abs(classes - whole))])
        raise UnfitError(
            f"the network gave class {odd:.4g}, which is no whole number: another column is "
            "the class"
        )
    if whole.size and whole.min() < 0:
        raise UnfitError(f"the network gave class {int(whole.min())}: see output.class_base")
    if labels and whole.size and whole.max() >= len(labels):
        raise UnfitError(
            f"the network gave class {int(whole.max())}, the package names {len(labels)} "
            f"(0 to {len(labels) - 1}): check labels and output.class_base"
        )
    return whole.astype(np.int64)


def corners_ordered(boxes: np.ndarray) -> np.ndarray:
    """Boxes of N×4 corners (x0, y0, x1, y1), the first no greater than the second."""
    if boxes.size and (boxes[:, 2:] < boxes[:, :2] - SLACK).any():
        odd = boxes[np.argmax((boxes[:, 2:] < boxes[:, :2] - SLACK).any(axis=1))]
        text = ", ".join(f"{value:.4g}" for value in odd)
        raise UnfitError(f"the network gave a box with its corners in no order ({text})")
    return boxes
