"""Messages that AWS IoT never takes: set aside with the reason, for people to see.

``refused/messages-000001.jsonl`` below the state directory, as the local sink writes them;
64 MiB in all, the oldest files go. ``stats`` counts by topic and reason since the start.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any

from edgecore.uplink.local_sink import LocalSink
from edgecore.uplink.sinks import Message, Unreachable

log = logging.getLogger(__name__)

FILE_BYTES, FOLDER_BYTES = 4 << 20, 64 << 20
MAX_TOPICS = 200
SHOWN = 10


class RefusedMessages:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sink = LocalSink(folder, file_bytes=FILE_BYTES, folder_bytes=FOLDER_BYTES)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._last_t: float | None = None

    async def keep(self, message: Message, reason: str, detail: str) -> None:
        """A disk that takes nothing costs the copy, never the way of the other messages."""
        key = (message.topic, reason)
        if key not in self._counts:
            log.error(
                "cloud: a message on %r is never taken (%s): %s; it is kept in %s",
                message.topic, reason, detail, self._folder,
            )  # fmt: skip
        if key in self._counts or len(self._counts) < MAX_TOPICS:
            self._counts[key] += 1
        self._last_t = time.time()
        try:
            await self._sink.deliver([message])
        except (Unreachable, ValueError) as error:
            log.error("cloud: the refused message was not kept: %s", error)  # noqa: TRY400

    def stats(self) -> dict[str, Any]:
        """``{"count", "last_t", "topics": [{"topic", "reason", "count"}]}``."""
        topics = [
            {"topic": topic, "reason": reason, "count": count}
            for (topic, reason), count in self._counts.most_common(SHOWN)
        ]
        return {"count": self._counts.total(), "last_t": self._last_t, "topics": topics}

    async def close(self) -> None:
        await self._sink.close()
