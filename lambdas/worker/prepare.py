"""One image of a batch: file → the network's input tensor, or its `failed` record.

A record is made only of what is the image's own fault. What the machine did leaves as
`OSError` or `MemoryError`, and the image is kept (`hold`).
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from typing import Callable

import numpy as np

from contract.messages import Record
from contract.volumes import INBOX
from lambdas.common.folders import Folders
from lambdas.common.log import about, get_logger
from lambdas.common.marker import require
from lambdas.common.paths import PathError, open_folder_inside, read_inside
from lambdas.imaging.errors import ImageError
from lambdas.imaging.transform import Transform
from lambdas.worker.work import Image

# Of a batch, each with those above it.
MOST_FOLDERS = 64

_log = get_logger("inference")

# A file of more takes a decoder longer than `hand_over.TOGETHER_S`.
LARGE_BYTES = 64 << 10


class Prepare:
    """One per thread, as its `Transform` is."""

    def __init__(
        self,
        images_dir: str,
        transform: Transform,
        pixels: bool = True,
        before_long: Callable[[], None] = lambda: None,
    ) -> None:
        """`pixels` False: files are read and not decoded (a measurement without a model).
        `before_long`: called before what takes long, so that nothing has to wait for it."""
        self._images_dir = images_dir
        self._transform = transform
        self._pixels = pixels
        self._folders = Folders(images_dir, MOST_FOLDERS)
        self._said = {camera: each.as_record() for camera, each in transform.regions.items()}
        self.before_long = before_long

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the tensor to be filled."""
        return self._transform.shape

    def __call__(self, image: Image, tensor: np.ndarray | None) -> Record | None:
        """Read and transform one image; its `failed` record where that cannot be done.

        Raises `OSError` and `MemoryError`: not the image's fault.
        """
        item = image.item
        if isinstance(item.get("t_in"), (int, float)):
            image.ms["queue"] = round(max(0.0, time.time() - item["t_in"]) * 1000, 3)
        try:
            data = image.timed("read", lambda: self._read_of_batch(image))
        except PathError as error:
            return image.failed(error.reason, error.detail)
        if tensor is None or not self._pixels:
            return None
        if len(data) > LARGE_BYTES:
            self.before_long()
        return self._decoded(image, data, tensor)

    def _decoded(self, image: Image, data: bytes, tensor: np.ndarray) -> Record | None:
        hooked = self._transform.hooked
        try:
            camera = str(image.item.get("stream", ""))
            image.size = image.timed("transform", lambda: self._transform(data, tensor, camera))
            if camera in self._said:
                image.item["region"] = self._said[camera]
            if self._transform.damage is not None:
                image.item["damage"] = self._transform.damage.as_record()
        except ImageError as error:
            return image.failed(error.reason, error.detail)
        except Exception as error:  # a hook, or a decoder's surprise: one image's, not the worker's
            if isinstance(error, MemoryError) and not hooked:
                raise
            item = image.item
            _log.warning("%s: %r", item["file"], error, exc_info=error, extra=about(item))
            reason = "model_error" if hooked else "not_an_image"
            return image.failed(reason, f"transform: {type(error).__name__}: {error}")
        return None

    def _read_of_batch(self, image: Image) -> bytes:
        """A batch's folders are walked to once. They are closed with it, since what is open keeps
        a volume from being unmounted, and after any trouble: it may be of what is open."""
        goes_on = False
        try:
            data = self.read(image, self._folders)
            goes_on = image.index + 1 < len(image.batch.items)
            return data
        finally:
            if not goes_on:
                self._folders.close()

    def read(self, image: Image, folders: Folders | None = None) -> bytes:
        """The bytes that were accepted; their SHA-256 goes into the record.

        `folders`: of this thread. Raises `PathError`, and `OSError` for the machine's troubles.
        """
        item = image.item
        try:
            data = self._read(item, folders)
        except PathError as error:
            if error.reason != "not_found":
                raise
            # Is it the file that is not there, or the volume? And once more, since a volume
            # may have come back between the two questions.
            require(self._images_dir, image.batch.volume)
            data = self._read(item)
        digest = hashlib.sha256(data).hexdigest()
        item["sha256"] = digest
        if item.get("digest", digest) != digest:
            raise PathError("changed", "its bytes are not those that were accepted")
        return data

    def _read(self, item: Record, folders: Folders | None = None) -> bytes:
        own, accepted = item.get("kept"), item.get("stat")
        limit = self._transform.rules.max_bytes
        walk = folders.open if folders else None
        if own is None and item["file"].startswith(INBOX + "/"):
            own = item["file"]
        if own is None:
            return read_inside(self._images_dir, item["file"], limit, accepted, walk)
        try:
            return read_inside(self._images_dir, own, limit, accepted, walk)
        except PathError as error:
            self._require_way(own, error)
            # Somebody removed what the splitter kept; the camera's own name may still lead there.
            if error.reason != "not_found" or not (accepted and accepted[2]):
                raise
            return read_inside(self._images_dir, item["file"], limit, accepted)

    def _require_way(self, own: str, error: PathError) -> None:
        """Raises `OSError` where something is wrong on the way to what the splitter keeps:
        a link, which the splitter makes none of, or a folder that may not be entered."""
        if error.reason == "outside_volume":
            raise OSError(errno.ELOOP, error.detail) from None
        if error.reason == "not_a_file":
            try:
                os.close(open_folder_inside(self._images_dir, os.path.dirname(own)))
            except PathError as folder:
                raise OSError(errno.EACCES, folder.detail) from None
