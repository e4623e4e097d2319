"""What travels through the pipeline: a batch in hand, and one image on its way."""

from __future__ import annotations

import time
from typing import Any, Callable

import numpy as np

from contract.messages import Record, Work, result_failed
from lambdas.common.log import about, get_logger
from lambdas.model.geometry import Size

_log = get_logger("inference")


class Batch:
    """A micro-batch in hand; `results` fill up in the order of its items.

    A result that stays None is an image that was given back. `volume`: see `Work`.
    """

    def __init__(self, work: Work) -> None:
        self.id = work.batch
        self.volume = work.volume
        self.items = [dict(item, attempt=item.get("attempt", work.attempt)) for item in work.items]
        self.results: list[Record | None] = [None] * len(self.items)
        self.open = len(self.items)

    @property
    def records(self) -> list[Record]:
        """The results there are, in the order of the items."""
        return [result for result in self.results if result is not None]


class Image:
    """One item of a batch between the stages; `tensor` is lent to it from the pool.

    `size`: of the upright picture, once it is decoded.
    """

    __slots__ = ("batch", "index", "ms", "size", "tensor")

    def __init__(self, batch: Batch, index: int) -> None:
        self.batch = batch
        self.index = index
        self.ms: dict[str, float] = {}
        self.size: Size | None = None
        self.tensor: np.ndarray | None = None

    @property
    def item(self) -> Record:
        return self.batch.items[self.index]

    def timed(self, stage: str, call: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        try:
            return call()
        finally:
            self.ms[stage] = round((time.perf_counter() - start) * 1000, 3)

    def failed(self, reason: str, detail: str) -> Record:
        _log.warning("failed, %s: %s", reason, detail, extra=about(self.item))
        return result_failed(self.item, reason, detail, self.ms)
