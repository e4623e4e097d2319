"""One image of a batch: file → the network's input tensor, or its `failed` record."""

from __future__ import annotations

import time

import numpy as np

from contract.messages import Record
from lambdas.common.log import about, get_logger
from lambdas.common.paths import PathError, read_inside
from lambdas.imaging.errors import ImageError
from lambdas.imaging.transform import Transform
from lambdas.worker.work import Image

_log = get_logger("inference")


class Prepare:
    """One per thread, as its `Transform` is."""

    def __init__(self, images_dir: str, transform: Transform, pixels: bool = True) -> None:
        """`pixels` False: files are read and not decoded (a measurement without a model)."""
        self._images_dir = images_dir
        self._transform = transform
        self._pixels = pixels

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the tensor to be filled."""
        return self._transform.shape

    def __call__(self, image: Image, tensor: np.ndarray) -> Record | None:
        """Read and transform one image; its `failed` record where that cannot be done."""
        item = image.item
        if isinstance(item.get("t_in"), (int, float)):
            image.ms["queue"] = round(max(0.0, time.time() - item["t_in"]) * 1000, 3)
        limit = self._transform.rules.max_bytes
        camera = str(item.get("stream", ""))
        try:
            data = image.timed("read", lambda: read_inside(self._images_dir, item["file"], limit))
            if self._pixels:
                image.timed("transform", lambda: self._transform(data, tensor, camera))
                if self._transform.damage is not None:
                    item["damage"] = self._transform.damage.as_record()
        except (PathError, ImageError) as error:
            return image.failed(error.reason, error.detail)
        except Exception as error:  # a hook, or a decoder's surprise: one image's, not the worker's
            hooked = self._transform.hooked
            _log.warning("%s: %r", item["file"], error, exc_info=hooked, extra=about(item))
            reason = "model_error" if hooked else "not_an_image"
            return image.failed(reason, f"transform: {type(error).__name__}: {error}")
        return None
