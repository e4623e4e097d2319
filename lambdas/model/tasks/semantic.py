"""Semantic segmentation: a class for each pixel → shares of the picture, and masks."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from contract.regions import Regions
from lambdas.model.geometry import Placement
from lambdas.model.regions import seen as visible
from lambdas.model.spec import ModelSpec
from lambdas.model.tasks.fit import UnfitError, classes_known, finite, scores_in_range
from lambdas.model.tasks.masks import run_lengths
from lambdas.model.tasks.roles import Roles

DECIMALS = 6
_AXES = {"logits": "classes×H×W", "logits_last": "H×W×classes"}


def classes_of(
    outputs: Sequence[np.ndarray], roles: Roles, spec: ModelSpec, labels: Sequence[str]
) -> np.ndarray:
    """H×W classes of one image's outputs. Raises `UnfitError`."""
    values = finite(roles.of(outputs, "map", 0), "values")
    layout = spec.output.layout
    if layout == "classes":
        flat = values[0] if values.ndim == 3 and len(values) == 1 else values
        if flat.ndim != 2:
            raise UnfitError(f"layout classes needs H×W, the network gave {values.shape}")
        return classes_known(flat, labels)
    if layout == "probability":
        flat = values[0] if values.ndim == 3 and len(values) == 1 else values
        if flat.ndim != 2:
            raise UnfitError(f"layout probability needs 1×H×W, the network gave {values.shape}")
        if spec.output.activation == "sigmoid":
            return (flat >= _logit(spec.threshold)).astype(np.int64)
        remedy = "if these are logits, set output.activation sigmoid"
        return (scores_in_range(flat, remedy) >= spec.threshold).astype(np.int64)
    if layout == "logits_last" and values.ndim == 3:
        values = values.transpose(2, 0, 1)
    if values.ndim != 3 or len(values) < 2:
        raise UnfitError(f"layout {layout} needs {_AXES[layout]}, the network gave {values.shape}")
    if labels and len(values) != len(labels):
        raise UnfitError(
            f"the network gives {len(values)} classes and the package names {len(labels)}: "
            "labels and outputs have to be as many"
        )
    return values.argmax(axis=0)


def segments(
    classes: np.ndarray,
    place: Placement,
    spec: ModelSpec,
    name: Any,
    regions: Regions | None = None,
) -> dict[str, Any]:
    """`output` of a result: classes by their share of the picture, largest first.

    `classes` is of the whole input; what lies beside the picture is left out, and what
    `regions` hides. The masks have the network's own resolution. Class 0 has no mask: it is
    what the others leave.
    """
    seen = _picture(classes, place, (spec.input.width_px, spec.input.height_px))
    hidden = hidden_of(regions, place, seen.shape)
    counted = seen if hidden is None else seen[~hidden]
    numbers, counts = np.unique(counted, return_counts=True)
    found = []
    for number, count in sorted(zip(numbers.tolist(), counts.tolist()), key=lambda e: -e[1]):
        entry = {
            "label": name(number), "index": number,
            "share": round(count / counted.size, DECIMALS),
        }  # fmt: skip
        if spec.output.masks and number != 0:
            of_class = seen == number
            entry["mask"] = run_lengths(of_class if hidden is None else of_class & ~hidden)
        found.append(entry)
    return {"classes": found, "size": list(place.size)}


def _picture(values: np.ndarray, place: Placement, input_px: tuple[int, int]) -> np.ndarray:
    """The part of an H×W map (any resolution) that shows the picture."""
    scale_x, scale_y = values.shape[1] / input_px[0], values.shape[0] / input_px[1]
    left, right = round(place.left * scale_x), round((place.left + place.width_px) * scale_x)
    top, bottom = round(place.top * scale_y), round((place.top + place.height_px) * scale_y)
    return values[top : max(bottom, top + 1), left : max(right, left + 1)]


picture_of = _picture


def hidden_of(
    regions: Regions | None, place: Placement, shape: tuple[int, ...]
) -> np.ndarray | None:
    """H×W booleans of a map of the picture: what is not seen; None where all is, or nothing."""
    if regions is None:
        return None
    left, top = place.back(place.left, place.top)
    right, bottom = place.back(place.left + place.width_px, place.top + place.height_px)
    hidden: np.ndarray = ~visible(regions, (left, top, right, bottom), (shape[0], shape[1]))
    return None if hidden.all() or not hidden.any() else hidden


def _logit(probability: float) -> float:
    cut = min(max(probability, 1e-7), 1 - 1e-7)
    return float(np.log(cut / (1 - cut)))
