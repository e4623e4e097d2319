"""What the network put out → what a result says."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from contract.regions import Regions
from lambdas.model.geometry import Placement, Size, placement
from lambdas.model.spec import ModelSpec
from lambdas.model.tasks.anomaly import anomalies
from lambdas.model.tasks.boxes import Boxes, Candidates
from lambdas.model.tasks.fit import UnfitError, corners_ordered, finite, scores_in_range
from lambdas.model.tasks.masks import instance_masks, run_lengths
from lambdas.model.tasks.roles import Roles
from lambdas.model.tasks.semantic import classes_of, segments
from lambdas.model.tasks.suppress import suppressed

#: Six decimals are more than float32 scores carry, and keep messages short.
DECIMALS = 6
_BOXED = ("detection", "ssd_detection", "instance_segmentation")


class Task:
    """One package's task: outputs for one image (no batch axis) → `output` of its result."""

    def __init__(self, spec: ModelSpec, labels: Sequence[str], names: Sequence[str]) -> None:
        """`names`: the network's outputs in order. Raises `ModelError`."""
        self._spec, self._labels = spec, labels
        self.roles = Roles(spec.output.roles, names)
        self._boxes = Boxes(spec, labels, self.roles) if spec.task in _BOXED else None

    def __call__(
        self, outputs: Sequence[np.ndarray], size: Size, regions: Regions | None = None
    ) -> dict[str, Any]:
        """`size`: of the upright picture; `regions`: what counts of it. Raises `UnfitError`."""
        spec = self._spec
        if spec.task == "classification":
            return classify(class_scores(outputs, self._labels), self._labels, spec)
        place = placement(spec.input, *size)
        if self._boxes is not None:
            return self._boxed(outputs, place)
        if spec.task == "semantic_segmentation":
            classes = classes_of(outputs, self.roles, spec, self._labels)
            return segments(classes, place, spec, self._name, regions)
        return anomalies(outputs, self.roles, spec, place, regions)

    def _boxed(self, outputs: Sequence[np.ndarray], place: Placement) -> dict[str, Any]:
        spec = self._spec
        found = self._kept(self._boxes(outputs))  # type: ignore[misc]
        corners_ordered(found.boxes)
        boxes = [
            {
                "label": self._name(int(kind)),
                "index": int(kind),
                "score": round(float(score), DECIMALS),
                "box": _fractions(box, place),
            }
            for box, score, kind in zip(found.boxes, found.scores, found.classes)
        ]
        if spec.task == "instance_segmentation":
            prototypes = self.roles.of(outputs, "prototypes", 1)
            input_px = (spec.input.width_px, spec.input.height_px)
            for entry, mask in zip(boxes, instance_masks(found, prototypes, place, input_px)):
                entry["mask"] = run_lengths(mask)
        return {"boxes": boxes, "size": list(place.size)}

    def _kept(self, found: Candidates) -> Candidates:
        output = self._spec.output
        if output.iou is None:
            limit = None if output.layout == "ssd" else output.max_boxes
            return found.at(np.argsort(-found.scores, kind="stable")[:limit])
        kept = suppressed(
            found.boxes, found.scores, found.classes, output.iou, agnostic=output.agnostic
        )
        return found.at(kept[: output.max_boxes])

    def _name(self, index: int) -> str:
        return label(self._labels, index)


def describe(
    outputs: Sequence[np.ndarray], labels: Sequence[str], spec: ModelSpec
) -> dict[str, Any]:
    """As `Task`, for outputs that have no names and a picture of the input's own size."""
    names = [str(number) for number in range(len(outputs))]
    return Task(spec, labels, names)(outputs, Size(spec.input.width_px, spec.input.height_px))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of a vector of logits; no overflow for large ones."""
    raised = np.exp(logits - logits.max())
    return raised / raised.sum()


def class_scores(outputs: Sequence[np.ndarray], labels: Sequence[str]) -> np.ndarray:
    """The vector of a classifier's output, one value per class. Raises `UnfitError`."""
    shape = outputs[0].shape
    if len(shape) > 1 and sum(side > 1 for side in shape) > 1:
        sides = "×".join(map(str, shape))
        raise UnfitError(
            f"classification needs one value per class, the network gave {sides}: is it another "
            "task? `fanfold model new` reads it from the network"
        )
    scores = finite(outputs[0].reshape(-1), "scores")
    if labels and len(scores) != len(labels):
        raise UnfitError(
            f"the network gives {len(scores)} classes and the package names {len(labels)}: labels "
            "and outputs have to be as many"
        )
    return scores


def classify(scores: np.ndarray, labels: Sequence[str], spec: ModelSpec) -> dict[str, Any]:
    """The `top` best classes of a vector. The best is always named, others from `threshold`."""
    # Ordered before the softmax, which may make close logits equal; stable, so that equal
    # ones come in the order of their indices everywhere.
    best = np.argsort(-scores, kind="stable")[: spec.top]
    if spec.softmax:
        scores = softmax(scores.astype(np.float64))
    elif spec.output.activation == "sigmoid":
        scores = 1 / (1 + np.exp(-scores.astype(np.float64)))
    elif not spec.simulated:
        scores = scores_in_range(scores, "these are logits: set output.softmax to true")
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


def label(labels: Sequence[str], index: int) -> str:
    return labels[index] if 0 <= index < len(labels) else str(index)


def _fractions(box: np.ndarray, place: Placement) -> list[float]:
    x0, y0 = place.back(float(box[0]), float(box[1]))
    x1, y1 = place.back(float(box[2]), float(box[3]))
    return [round(value, DECIMALS) for value in (x0, y0, x1, y1)]
