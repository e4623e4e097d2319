"""Tensors → records: one forward pass for several images, and what becomes of each."""

from __future__ import annotations

import time
from typing import Protocol, Sequence

import numpy as np

from contract.messages import Record, result_ok
from lambdas.common.log import about, get_logger
from lambdas.model.tasks.postprocess import describe
from lambdas.worker.work import Model

_log = get_logger("inference")


class Answered(Protocol):
    """What a record is made for: an item of a batch, with its times so far."""

    ms: Record

    @property
    def item(self) -> Record: ...

    def failed(self, reason: str, detail: str) -> Record: ...


class Network:
    """The loaded model with the user's `postprocess`. One thread calls `answer`."""

    def __init__(self, model: Model) -> None:
        self._package, self._runtime, self._hooks = model

    def answer(self, images: Sequence[Answered], batch: np.ndarray) -> list[Record]:
        """One record for each image; `batch` has the input's shape, image i in row i."""
        start = time.perf_counter()
        try:
            outputs = self._runtime.infer(batch)
        except Exception as error:  # every runtime has its own; what remains is the image's end
            _log.error("inference failed: %s", error)
            if len(images) > 1:
                return self._one_by_one(images, batch)
            return [image.failed("model_error", str(error)) for image in images]
        share_ms = round((time.perf_counter() - start) * 1000 / len(images), 3)
        for image in images:
            image.ms["inference"] = share_ms
        return [
            self._record(image, [output[row] for output in outputs])
            for row, image in enumerate(images)
        ]

    def _one_by_one(self, images: Sequence[Answered], batch: np.ndarray) -> list[Record]:
        """An image that the network refuses costs itself, and not those beside it."""
        records = []
        for row, image in enumerate(images):
            alone = np.zeros_like(batch)
            alone[0] = batch[row]
            records += self.answer([image], alone)
        return records

    def _record(self, image: Answered, outputs: list[np.ndarray]) -> Record:
        spec = self._package.spec
        try:
            if self._hooks.postprocess is not None:
                output = self._hooks.postprocess(outputs)
            else:
                output = describe(outputs, self._package.labels, spec)
        except Exception as error:  # the user's code, or a network that is not of its task
            return image.failed("model_error", f"postprocess: {type(error).__name__}: {error}")
        _log.debug("done", extra=about(image.item))
        result = result_ok(image.item, spec.task, output, image.ms)
        if spec.simulated:
            result["simulated"] = True
        return result
