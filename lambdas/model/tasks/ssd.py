"""SSD's last step in numpy: prior boxes, box decoding, non-maximum suppression.

Equal to MXNet 1.9.1's `_contrib_MultiBoxPrior` and `_contrib_MultiBoxDetection`
(tests/lambdas/model/test_inference_detection.py compares them), which no other runtime has.
A compiled package carries their parameters in model.json (docs/spec/model-package.md).
"""

from __future__ import annotations

import numpy as np

from lambdas.model.tasks.ssd_spec import DetectionRule, PriorLayer

#: Candidates whose overlaps are computed at once; bounds memory to block × candidates.
_BLOCK = 96


def prior_boxes(layer: PriorLayer) -> np.ndarray:
    """K×4 float32 corners (x0, y0, x1, y1) in 0…1: row by row, sizes first, then ratios.

    All sizes have the first ratio; the other ratios have the first size.
    """
    height, width = layer.feature_map
    step_y, step_x = (
        np.float32(step) if step > 0 else np.float32(1.0) / np.float32(count)
        for step, count in zip(layer.steps, layer.feature_map)
    )
    centre_y = (np.arange(height, dtype=np.float32) + np.float32(layer.offsets[0])) * step_y
    centre_x = (np.arange(width, dtype=np.float32) + np.float32(layer.offsets[1])) * step_x
    sizes = np.array([*layer.sizes, *[layer.sizes[0]] * (len(layer.ratios) - 1)], np.float32)
    roots = np.sqrt(
        np.array([*[layer.ratios[0]] * len(layer.sizes), *layer.ratios[1:]], np.float32)
    )
    # The operator's own order of operations, in float32: other orders round otherwise.
    half_w = sizes * np.float32(height) / np.float32(width) * roots / np.float32(2)
    half_h = sizes / roots / np.float32(2)
    boxes = np.empty((height, width, len(sizes), 4), np.float32)
    boxes[..., 0] = centre_x[None, :, None] - half_w
    boxes[..., 1] = centre_y[:, None, None] - half_h
    boxes[..., 2] = centre_x[None, :, None] + half_w
    boxes[..., 3] = centre_y[:, None, None] + half_h
    flat = boxes.reshape(-1, 4)
    return flat.clip(0.0, 1.0) if layer.clip else flat


class Detector:
    """Class scores and box offsets → detections. Reentrant."""

    def __init__(self, rule: DetectionRule) -> None:
        self._rule = rule
        anchors = np.concatenate([prior_boxes(layer) for layer in rule.anchors])
        self.count = len(anchors)
        low, high = anchors[:, :2], anchors[:, 2:]
        self._centre = (low + high) / np.float32(2)
        self._size = high - low
        self._variances = np.array(rule.variances, np.float32)

    def __call__(self, scores: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """B×N×6 float32 (class, score, x0, y0, x1, y1); unused rows and suppressed have class −1.

        `scores` is B×C×N with the background first, `offsets` B×(4N). An image whose
        outputs are not finite comes back as NaN.
        """
        out = np.full((len(scores), self.count, 6), -1.0, np.float32)
        for row, score, offset in zip(out, scores, offsets):
            if np.isfinite(score).all() and np.isfinite(offset).all():
                self._one(score, offset.reshape(-1, 4), row)
            else:
                row[...] = np.nan
        return out

    def _one(self, scores: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
        rule = self._rule
        suppress = 0 < rule.nms_threshold <= 1
        best, score = _best(_softmax(scores) if rule.softmax else scores)
        found = np.flatnonzero(score >= np.float32(rule.threshold))
        if suppress:
            found = found[_leading(score[found], rule.nms_topk)]
        rows = out[: len(found)]
        rows[:, 0], rows[:, 1] = best[found], score[found]
        rows[:, 2:] = self._decode(offsets[found], found)
        if suppress:
            kinds = None if rule.force_suppress else rows[:, 0]
            rows[~keep(rows[:, 2:], kinds, np.float32(rule.nms_threshold)), 0] = -1.0

    def _decode(self, offsets: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Corners of the boxes that `offsets` (K×4: x, y, w, h) make of the anchors `index`."""
        size, variances = self._size[index], self._variances
        centre = offsets[:, :2] * variances[:2] * size + self._centre[index]
        half = np.exp(offsets[:, 2:] * variances[2:]) * size / np.float32(2)
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        return boxes.clip(0.0, 1.0) if self._rule.clip else boxes


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=0))
    raised /= raised.sum(axis=0)
    return raised


def _best(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of C×N scores: each anchor's best class after the background (first of equals), its score."""
    best, score = np.zeros(scores.shape[1], np.intp), scores[1].copy()
    # A step per class: argmax along the short axis takes five times as long.
    for number, row in enumerate(scores[2:], 1):
        better = row > score
        best[better] = number
        np.maximum(score, row, out=score)
    return best, score


def _leading(score: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` best (all where < 1), best first; of equals the first stays first."""
    index = np.arange(len(score))
    if 0 < count < len(score):
        index = np.flatnonzero(score >= -np.partition(-score, count - 1)[count - 1])
    index = index[np.argsort(-score[index], kind="stable")]
    return index[:count] if count > 0 else index


def keep(boxes: np.ndarray, classes: np.ndarray | None, limit: np.float32) -> np.ndarray:
    """Which of `boxes` (K×4, best first) remain: none overlaps a better one of its class.

    `classes` None: all are of one. Greedy: a box that is suppressed suppresses nothing.
    Overlap is intersection over union; at `limit` a box goes.
    """
    kept = np.ones(len(boxes), bool)
    corners = np.ascontiguousarray(boxes.T)
    for start in range(0, len(boxes), _BLOCK):
        rows = start + np.flatnonzero(kept[start : start + _BLOCK])
        columns = start + np.flatnonzero(kept[start:])
        hits = _overlap(corners[:, rows, None], corners[:, None, columns], limit)
        if classes is not None:
            hits &= classes[rows, None] == classes[columns]
        hits &= rows[:, None] < columns
        kept[columns[_suppressed(hits)]] = False
    return kept


def _overlap(first: np.ndarray, second: np.ndarray, limit: np.float32) -> np.ndarray:
    """Whether intersection over union reaches `limit`, of boxes 4×R×1 and 4×1×K."""
    width = np.minimum(first[2], second[2])
    width -= np.maximum(first[0], second[0])
    height = np.minimum(first[3], second[3])
    height -= np.maximum(first[1], second[1])
    common = np.maximum(width, 0, out=width)
    common *= np.maximum(height, 0, out=height)
    union = _area(first) + _area(second)
    union -= common
    # Boxes without an area overlap nothing: 0 ÷ 0 is no number, and reaches no limit.
    with np.errstate(divide="ignore", invalid="ignore"):
        common /= union
    return (common >= limit) & (union > 0)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[2] - boxes[0]) * (boxes[3] - boxes[1])


def _suppressed(hits: np.ndarray) -> np.ndarray:
    """Of `hits[i, j]` (box i, if it stays, removes box j; i < j), the columns that go.

    The first rows and columns are the same boxes, in the same order. The rows are
    handled as integers of one bit per column: hundreds of steps in some microseconds.
    """
    packed = np.packbits(hits, axis=1, bitorder="little")
    masks = [int.from_bytes(row.tobytes(), "little") for row in packed]
    gone = 0
    for index, mask in enumerate(masks):
        if not gone >> index & 1:
            gone |= mask
    count = hits.shape[1]
    raw = np.frombuffer(gone.to_bytes(packed.shape[1], "little"), np.uint8)
    return np.flatnonzero(np.unpackbits(raw, bitorder="little")[:count])
