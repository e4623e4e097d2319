"""A connection that somebody decides about before a byte of it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class PendingConnection(asyncio.Protocol):
    """Until it is accepted nothing of it is read; ``on_pending`` gets its transport, paused."""

    def __init__(self, on_pending: Callable[[asyncio.Transport], None]) -> None:
        self._on_pending = on_pending

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast(asyncio.Transport, transport)
        made.pause_reading()
        self._on_pending(made)
