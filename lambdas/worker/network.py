"""Tensors → records: one forward pass for several images, and what becomes of each.

Nothing that an output holds can end a worker: what does not fit is a `failed` record
(`model_error`) with the reason, never a label.
"""

from __future__ import annotations

import time
from logging import DEBUG
from typing import Mapping, Protocol, Sequence

import numpy as np

from contract.messages import Record, result_ok
from contract.regions import Regions, kept_boxes
from lambdas.common.log import about, get_logger
from lambdas.model.geometry import Size
from lambdas.worker.warm_up import Model, output_of

_log = get_logger("inference")


class Answered(Protocol):
    """What a record is made for: an item of a batch, with its times and its size so far."""

    ms: Record
    size: Size | None

    @property
    def item(self) -> Record: ...

    def failed(self, reason: str, detail: str) -> Record: ...


class Network:
    """The loaded model with the user's `postprocess`. One thread calls `answer`."""

    def __init__(self, model: Model, regions: Mapping[str, Regions] = {}) -> None:
        self._model = model
        self._regions = regions
        spec = model.package.spec
        self._own_size = Size(spec.input.width_px, spec.input.height_px)

    def answer(self, images: Sequence[Answered], batch: np.ndarray) -> list[Record]:
        """One record for each image; `batch` has the input's shape, image i in row i."""
        start = time.perf_counter()
        try:
            outputs = self._model.runtime.infer(batch)
            divided = self._model.divider(outputs, len(images))
        except Exception as error:  # every runtime has its own; what remains is the image's end
            _log.error("inference failed: %s", error)
            # What an earlier batch left behind these images may be what was refused.
            if len(images) > 1 or batch[len(images) :].any():
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
            regions = self._regions.get(str(image.item.get("stream", "")))
            output = output_of(self._model, outputs, image.size or self._own_size, name, regions)
            item, output = without_hidden(image.item, output, regions)
        except Exception as error:  # the user's code, or an output that does not fit
            return image.failed("model_error", f"postprocess: {type(error).__name__}: {error}")
        if _log.isEnabledFor(DEBUG):
            _log.debug("done", extra=about(image.item))
        result = result_ok(item, spec.task, output, image.ms)
        if spec.simulated:
            result["simulated"] = True
        return result


def without_hidden(item: Record, output: Record, regions: Regions | None) -> tuple[Record, Record]:
    """An answer without the boxes whose centre is not seen, and an item that counts them."""
    boxes = output.get("boxes") if isinstance(output, dict) else None
    if regions is None or not isinstance(boxes, list):
        return item, output
    kept, ignored = kept_boxes(regions, boxes)
    if not ignored:
        return item, output
    said = {**item.get("region", regions.as_record()), "ignored": ignored}
    return {**item, "region": said}, {**output, "boxes": kept}
