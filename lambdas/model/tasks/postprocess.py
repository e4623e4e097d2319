"""What the network put out → what a result says."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from lambdas.model.spec import ModelSpec

#: Six decimals are more than float32 scores carry, and keep messages short.
DECIMALS = 6


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of a vector of logits; no overflow for large ones."""
    raised = np.exp(logits - logits.max())
    return raised / raised.sum()


def classify(scores: np.ndarray, labels: Sequence[str], spec: ModelSpec) -> dict[str, Any]:
    """The `top` best classes of a vector. The best is always named, others from `threshold`."""
    # Ordered before the softmax, which may make close logits equal; stable, so that equal
    # ones come in the order of their indices everywhere.
    best = np.argsort(-scores, kind="stable")[: spec.top]
    scores = softmax(scores.astype(np.float64)) if spec.softmax else scores
    top = [
        {
            "label": label(labels, int(i)),
            "index": int(i),
            "score": round(float(scores[i]), DECIMALS),
        }
        for rank, i in enumerate(best)
        if rank == 0 or scores[i] >= spec.threshold
    ]
    return {"top": top}


def boxes(detections: np.ndarray, labels: Sequence[str], spec: ModelSpec) -> dict[str, Any]:
    """Boxes of an N×6 array (class, score, x0, y0, x1, y1), best first, corners in 0…1."""
    kept = detections[(detections[:, 0] >= 0) & (detections[:, 1] >= spec.threshold)]
    kept = kept[np.argsort(-kept[:, 1], kind="stable")]
    found = []
    for row in kept:
        index = int(row[0])
        corners = [round(float(v), DECIMALS) for v in np.clip(row[2:6], 0.0, 1.0)]
        score = round(float(row[1]), DECIMALS)
        found.append(
            {"label": label(labels, index), "index": index, "score": score, "box": corners}
        )
    return {"boxes": found}


def label(labels: Sequence[str], index: int) -> str:
    return labels[index] if 0 <= index < len(labels) else str(index)


def describe(
    outputs: Sequence[np.ndarray], labels: Sequence[str], spec: ModelSpec
) -> dict[str, Any]:
    """`output` of one result from the network's outputs for one image (no batch axis).

    Raises `ValueError` where the output is not what the task expects or is not finite.
    """
    first = outputs[0]
    if spec.task == "ssd_detection":
        if first.ndim != 2 or first.shape[1] != 6:
            raise ValueError(f"ssd_detection needs an N×6 output, the network gave {first.shape}")
        if not np.isfinite(first).all():
            raise ValueError("the network gave boxes that are not finite")
        return boxes(first, labels, spec)
    scores = first.reshape(-1)
    if not np.isfinite(scores).all():
        raise ValueError("the network gave scores that are not finite")
    return classify(scores, labels, spec)
