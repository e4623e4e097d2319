"""One forward pass's outputs → the outputs for each image, without the batch axis."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from lambdas.model.spec import ModelSpec
from lambdas.model.tasks.fit import UnfitError
from lambdas.model.tasks.roles import Roles


class Divider:
    """`whole`: numbers of outputs that have no batch axis (found at warm-up)."""

    def __init__(
        self, spec: ModelSpec, names: Sequence[str], roles: Roles, whole: frozenset[int]
    ) -> None:
        self._names, self._whole, self._batch = names, whole, spec.input.batch
        columns = spec.output.columns
        self._image_column = columns.index("image") if "image" in columns else None
        self._rows = roles.index("boxes", 0)

    def __call__(self, outputs: Sequence[np.ndarray], count: int) -> list[list[np.ndarray]]:
        """For the first `count` images of the batch. Raises `UnfitError`."""
        if len(outputs) != len(self._names):
            raise UnfitError(f"the network gave {len(outputs)} outputs, not {len(self._names)}")
        divided = [self._one(number, output, count) for number, output in enumerate(outputs)]
        return [list(of_image) for of_image in zip(*divided)]

    def _one(self, number: int, output: np.ndarray, count: int) -> list[np.ndarray]:
        if number == self._rows and self._image_column is not None:
            return self._by_column(output, count)
        if number in self._whole:
            if self._batch == 1:
                return [output]
            raise UnfitError(
                f"output {self._names[number]!r} has no batch axis ({list(output.shape)}): use "
                "input.shape with a batch of 1, or name its image column in output.columns"
            )
        if output.ndim == 0 or output.shape[0] != self._batch:
            raise UnfitError(
                f"output {self._names[number]!r} is {list(output.shape)} for a batch of "
                f"{self._batch}"
            )
        return list(output[:count])

    def _by_column(self, output: np.ndarray, count: int) -> list[np.ndarray]:
        if output.ndim != 2 or output.shape[1] <= int(self._image_column or 0):
            raise UnfitError(f"rows with an image column are needed, the network gave "
                             f"{output.shape}")  # fmt: skip
        images = output[:, self._image_column]
        if len(images) and not (np.isin(images, np.arange(self._batch))).all():
            raise UnfitError(
                f"the image column names image {images.max():.4g} in a batch of {self._batch}"
            )
        return [output[images == number] for number in range(count)]


def whole_outputs(
    spec: ModelSpec, roles: Roles, tried: Sequence[Sequence[np.ndarray]]
) -> frozenset[int]:
    """Outputs that have no batch axis: by what the declared layout needs, else by what was
    seen of them (`tried`: outputs of several passes)."""
    whole = set()
    for number in range(len(tried[0])):
        ranks = [outputs[number].ndim for outputs in tried]
        needed = _rank(spec, roles, number)
        if needed is not None:
            if max(ranks) == needed:
                whole.add(number)
        elif any(o[number].ndim == 0 or o[number].shape[0] != spec.input.batch for o in tried):
            whole.add(number)
    return frozenset(whole)


def _rank(spec: ModelSpec, roles: Roles, number: int) -> int | None:
    """Of one image's output, where the layout says so."""
    layout = spec.output.layout
    if layout in ("rows", "yolov5", "yolov8", "yolox"):
        return 2 if number == roles.index("boxes", 0) else None
    if layout == "boxes_labels_scores":
        if number == roles.index("boxes"):
            return 2
        return 1 if number in (roles.index("labels"), roles.index("scores")) else None
    return None
