"""Small pictures of images that failed, kept with the history while their files are there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edgecore.history.rows import Row
from edgecore.web.dashboard.thumbnails import Image, NoThumbnailError, Picture, Thumbnails

MAX_WAITING = 64
EVERY_S = 0.25
"""A model that fails every image is shown by a few of them."""

Keep = Callable[[int, str, bytes], None]


class FailurePictures:
    """``offer`` from any thread, ``run`` in the core's loop; what is too many is left out."""

    def __init__(
        self,
        thumbnails: Callable[[], Thumbnails],
        inline: Callable[[str], bytes | None],
        keep: Keep,
    ) -> None:
        self._thumbnails, self._inline, self._keep = thumbnails, inline, keep
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[tuple[int, Row]] = asyncio.Queue(MAX_WAITING)

    def offer(self, image: int, row: Row) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, image, row)

    def _take(self, image: int, row: Row) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait((image, row))

    async def run(self) -> None:
        while True:
            image, row = await self._waiting.get()
            picture = await self._make(row)
            if picture is not None:
                self._keep(image, picture.media_type, picture.content)
            await asyncio.sleep(EVERY_S)

    async def _make(self, row: Row) -> Picture | None:
        file = f"{row.folder}/{row.name}" if row.folder else row.name
        source = Image(row.camera, row.seq, file, self._inline(row.id))
        try:
            return await self._thumbnails().get(source)
        except NoThumbnailError:
            return None  # it failed because it is no picture, or its file is gone
