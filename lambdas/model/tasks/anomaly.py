"""Anomaly detection: one score for the picture, a map of where, a threshold.

Anomalib 2 normalises inside the network; 0 and 1 leave it to the reader, by
clip((raw − threshold) / (max − min) + 0.5, 0, 1), where 0.5 is the threshold.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from lambdas.model.geometry import Placement
from lambdas.model.spec import ModelSpec
from lambdas.model.tasks.fit import UnfitError, finite, scores_in_range
from lambdas.model.tasks.masks import run_lengths
from lambdas.model.tasks.roles import Roles
from lambdas.model.tasks.semantic import picture_of

DECIMALS = 6
_RAW = (
    "raw values need output.normalise, from the metadata that was written with the network, or a "
    "threshold above 1 in their own units"
)


def anomalies(
    outputs: Sequence[np.ndarray], roles: Roles, spec: ModelSpec, place: Placement
) -> dict[str, Any]:
    """`output` of a result. Raises `UnfitError`."""
    area = None
    if "map" in roles:
        area = _normalised(_flat(roles.of(outputs, "map")), "map", spec)
        area = picture_of(area, place, (spec.input.width_px, spec.input.height_px))
    if "score" in roles:
        values = finite(roles.of(outputs, "score").astype(np.float64), "scores").reshape(-1)
        if len(values) != 1:
            raise UnfitError(f"one score per image is needed, the network gave {len(values)}")
        score = float(_normalised(values, "score", spec)[0])
    else:
        score = float(area.max())  # type: ignore[union-attr]
    told: dict[str, Any] = {
        "score": round(score, DECIMALS),
        "threshold": spec.threshold,
        "anomalous": score >= spec.threshold,
        "size": list(place.size),
    }
    if area is not None:
        limit = spec.output.pixel_threshold
        above = area >= (spec.threshold if limit is None else limit)
        told["share"] = round(float(above.mean()), DECIMALS)
        told["mask"] = run_lengths(above)
    return told


def _flat(values: np.ndarray) -> np.ndarray:
    values = finite(values.astype(np.float64), "values")
    if values.ndim == 3 and 1 in (len(values), values.shape[2]):
        values = values[0] if len(values) == 1 else values[:, :, 0]
    if values.ndim != 2:
        raise UnfitError(f"an anomaly map needs H×W, the network gave {values.shape}")
    return values


def _normalised(values: np.ndarray, role: str, spec: ModelSpec) -> np.ndarray:
    limits = spec.output.normalise.get(role)
    if limits is None:
        pixel = spec.output.pixel_threshold
        limit = spec.threshold if role == "score" or pixel is None else pixel
        return values if limit > 1 else scores_in_range(values, _RAW)
    threshold, low, high = limits
    return np.clip((values - threshold) / (high - low) + 0.5, 0.0, 1.0)
