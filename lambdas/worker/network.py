"""Tensors → records: one forward pass for several images, and what becomes of each.

Nothing that an output holds can end a worker: what does not fit is a `failed` record
(`model_error`) with the reason, never a label.
"""

from __future__ import annotations

import time
from typing import Protocol, Sequence

import numpy as np

from contract.messages import Record, result_ok
from lambdas.common.log import about, get_logger
from lambdas.worker.warm_up import Model, told

_log = get_logger("inference")


class Answered(Protocol):
    """What a record is made for: an item of a batch, with its times and its size so far."""

    ms: Record
    size: tuple[int, int] | None

    @property
    def item(self) -> Record: ...

    def failed(self, reason: str, detail: str) -> Record: ...


class Network:
    """The loaded model with the user's `postprocess`. One thread calls `answer`."""

    def __init__(self, model: Model) -> None:
        self._model = model
        spec = model.package.spec
        self._own_size = (spec.input.width_px, spec.input.height_px)

    def answer(self, images: Sequence[Answered], batch: np.ndarray) -> list[Record]:
        """One record for each image; `batch` has the input's shape, image i in row i."""
        start = time.perf_counter()
        try:
            outputs = self._model.runtime.infer(batch)
            divided = self._model.divider(outputs, len(images))
        except Exception as error:  # every runtime has its own; what remains is the image's end
            _log.error("inference failed: %s", error)
            if len(images) > 1:
                return self._one_by_one(images, batch)
            return [image.failed("model_error", str(error)) for image in images]
        share_ms = round((time.perf_counter() - start) * 1000 / len(images), 3)
        for image in images:
            image.ms["inference"] = share_ms
        return [self._record(image, outputs) for image, outputs in zip(images, divided)]

    def _one_by_one(self, images: Sequence[Answered], batch: np.ndarray) -> list[Record]:
        """An image that the network refuses costs itself, and not those beside it."""
        records = []
        for row, image in enumerate(images):
            alone = np.zeros_like(batch)
            alone[0] = batch[row]
            records += self.answer([image], alone)
        return records

    def _record(self, image: Answered, outputs: list[np.ndarray]) -> Record:
        spec = self._model.package.spec
        name = str(image.item.get("file", ""))
        try:
            output = told(self._model, outputs, image.size or self._own_size, name)
        except Exception as error:  # the user's code, or an output that does not fit
            return image.failed("model_error", f"postprocess: {type(error).__name__}: {error}")
        _log.debug("done", extra=about(image.item))
        result = result_ok(image.item, spec.task, output, image.ms)
        if spec.simulated:
            result["simulated"] = True
        return result
