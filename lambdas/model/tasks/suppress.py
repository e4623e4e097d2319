"""Non-maximum suppression, by OpenCV: of boxes that overlap, the best one stays."""

from __future__ import annotations

import cv2
import numpy as np

#: Candidates that are compared, the best first: the time grows with their square.
MAX_CANDIDATES = 1000


def suppressed(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, iou: float, *, agnostic: bool
) -> np.ndarray:
    """Indices of the boxes (N×4 corners, pixels) that stay, best first.

    Within a class, or `agnostic` of it, none that stays overlaps a better one by more
    than `iou` (intersection over union).
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    if len(order) == 0:
        return order
    chosen = boxes[order].astype(np.float64)
    sides = np.concatenate([chosen[:, :2], chosen[:, 2:] - chosen[:, :2]], axis=1)
    kinds = np.zeros(len(order), np.int32) if agnostic else classes[order].astype(np.int32)
    kept = cv2.dnn.NMSBoxesBatched(
        sides.tolist(), scores[order].astype(np.float32).tolist(), kinds.tolist(), -1.0, iou
    )
    return order[np.sort(np.asarray(kept, np.int64).reshape(-1))]
