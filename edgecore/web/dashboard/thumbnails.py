"""Small pictures of images in the volume; a 40-megapixel JPEG costs its scaled decode only.

libjpeg decodes at 1/8 … 1/1 in the DCT domain, so a 7,300 × 5,500 pixel image needs a
913 × 688 buffer and not 120 MB. Other formats are passed on as they are while they are small:
the core has no decoder for them, the browser has.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.image_kinds import JPEG, LABELS, kind_of

if TYPE_CHECKING:
    import numpy as np

MAX_SIDE_PX = 480
LARGE_SIDE_PX = 1600
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 120_000_000
"""A progressive JPEG needs all its coefficients in memory: about 3 bytes a pixel and colour."""
MAX_PASSED_BYTES = 2 * 1024 * 1024
CACHE_BYTES = 24 * 1024 * 1024
MAX_FAILED = 512


class NoThumbnailError(Exception):
    """The image cannot be shown; the text says why."""


Key = tuple[str, int, int]


@dataclass(frozen=True)
class Image:
    """One image of a stream: ``content`` if the core still has it, else a file of the volume."""

    stream: str
    seq: int
    file: str
    content: bytes | None = None


@dataclass(frozen=True)
class Picture:
    content: bytes
    media_type: str


class Thumbnails:
    """Pictures of files below one folder, one decoded at a time, the last ones cached.

    Cached by image and not by file: an image sent inline leaves the volume when it is done,
    and a camera may write its next image under the same name.
    """

    def __init__(self, images_dir: str) -> None:
        self._root = Path(images_dir).resolve() if images_dir else None
        self._cache: OrderedDict[Key, Picture] = OrderedDict()
        self._cached_bytes = 0
        self._failed: OrderedDict[Key, str] = OrderedDict()
        self._one_at_a_time = asyncio.Semaphore(1)

    async def get(self, image: Image, max_side_px: int = MAX_SIDE_PX) -> Picture:
        """Raises NoThumbnailError: a file that is gone, outside, too large or not an image."""
        key = (image.stream, image.seq, max_side_px)
        async with self._one_at_a_time:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
            if key in self._failed:
                raise NoThumbnailError(self._failed[key])
            try:
                picture = await asyncio.to_thread(self._make, image, max_side_px)
            except NoThumbnailError as error:
                self._failed[key] = str(error)
                if len(self._failed) > MAX_FAILED:
                    self._failed.popitem(last=False)
                raise
            self._keep(key, picture)
            return picture

    def _make(self, image: Image, max_side_px: int) -> Picture:
        content = self._read(image.file) if image.content is None else image.content
        return shrink(content, max_side_px)

    def _read(self, file: str) -> bytes:
        if self._root is None:
            raise NoThumbnailError("the group has no images volume (FANFOLD_IMAGES_DIR)")
        path = (self._root / file).resolve()
        if not path.is_relative_to(self._root):
            raise NoThumbnailError(f"{file!r} is outside the images volume")
        try:
            size = path.stat().st_size
            if size > MAX_FILE_BYTES:
                raise NoThumbnailError(f"{file!r} has {size} bytes, limit {MAX_FILE_BYTES}")
            return path.read_bytes()
        except OSError as error:
            raise NoThumbnailError(f"{file!r} cannot be read: {error.strerror}") from None

    def _keep(self, key: Key, picture: Picture) -> None:
        self._cache[key] = picture
        self._cached_bytes = sum(len(p.content) for p in self._cache.values())
        while self._cached_bytes > CACHE_BYTES:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= len(dropped.content)


def shrink(content: bytes, max_side_px: int) -> Picture:
    """A JPEG no larger than ``max_side_px``; small files of other formats unchanged."""
    if kind_of(content) is not JPEG:
        return _passed_on(content)
    import simplejpeg  # with NumPy a fifth of the core's start, before anyone looks at a picture

    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(content)
        if height * width > MAX_PIXELS:
            raise NoThumbnailError(f"{width} x {height} pixels, limit {MAX_PIXELS}")
        factor = min(1.0, max_side_px / max(height, width))
        # simplejpeg picks the smallest DCT scale that is at least this large.
        pixels = simplejpeg.decode_jpeg(
            content, min_height=int(height * factor) or 1, min_width=int(width * factor) or 1
        )
    except ValueError as error:
        raise NoThumbnailError(f"not a readable JPEG: {error}") from None
    small = _area_average(pixels, max_side_px)
    jpeg = simplejpeg.encode_jpeg(small, quality=80, colorsubsampling="420")
    return Picture(bytes(jpeg), JPEG.media_type)


def _area_average(pixels: np.ndarray, max_side_px: int) -> np.ndarray:
    """Shrink by a whole factor, each pixel the mean of its block; edges are cut, not padded."""
    import numpy as np

    block = -(-max(pixels.shape[:2]) // max_side_px)
    height, width = (max(1, side // block) for side in pixels.shape[:2])
    if block == 1 or min(pixels.shape[:2]) < block:
        return np.ascontiguousarray(pixels)
    cut = pixels[: height * block, : width * block]
    blocks = cut.reshape(height, block, width, block, pixels.shape[2])
    return np.ascontiguousarray(blocks.mean(axis=(1, 3)).astype(np.uint8))


def _passed_on(content: bytes) -> Picture:
    kind = kind_of(content)
    if kind is None:
        raise NoThumbnailError(f"not {LABELS}")
    if not kind.media_type:
        raise NoThumbnailError(f"{kind.label}: browsers do not show it")
    if len(content) > MAX_PASSED_BYTES:
        raise NoThumbnailError(
            f"{kind.media_type} of {len(content)} bytes, limit {MAX_PASSED_BYTES}"
        )
    return Picture(content, kind.media_type)
