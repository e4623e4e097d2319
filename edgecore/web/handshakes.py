"""TLS in front of uvicorn, with what its own lacks: a bound on connections that never finish it.

Nothing of a connection is read before it has a place; who connects and stays silent is ended
after ten seconds, and at once, the oldest of the crowding address first, where another needs it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from typing import cast

from edgecore.core.descriptors import cap
from edgecore.mqtt.pending import PendingConnection

MAX_HANDSHAKES = 64
HANDSHAKE_S = 10.0

log = logging.getLogger(__name__)


class TlsListener:
    """``protocol`` for each TCP connection; ``inner`` makes what speaks behind TLS."""

    def __init__(self, context: ssl.SSLContext, inner: Callable[[], asyncio.Protocol]) -> None:
        self._context = context
        self._inner = inner
        self._going_on: dict[asyncio.Task[None], str] = {}  # by address, the oldest first

    def protocol(self) -> asyncio.Protocol:
        return PendingConnection(self._begin)

    def close(self) -> None:
        for task in list(self._going_on):
            task.cancel()

    def _begin(self, transport: asyncio.Transport) -> None:
        address = str((transport.get_extra_info("peername") or ("",))[0])
        task = asyncio.get_running_loop().create_task(self._shake(transport))
        self._going_on[task] = address
        task.add_done_callback(lambda done: self._going_on.pop(done, None))
        if len(self._going_on) > cap(MAX_HANDSHAKES):
            crowding = Counter(self._going_on.values()).most_common(1)[0][0]
            next(t for t, of in self._going_on.items() if of == crowding).cancel()

    async def _shake(self, transport: asyncio.Transport) -> None:
        held = _Held()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, held, self._context, server_side=True,
                ssl_handshake_timeout=HANDSHAKE_S,
            )  # fmt: skip
        except (OSError, asyncio.TimeoutError) as error:
            log.debug("https: no TLS connection: %s", error)
            transport.abort()
        except asyncio.CancelledError:
            transport.abort()
        else:
            held.hand_over(cast(asyncio.Transport, secured), self._inner())


class _Held(asyncio.Protocol):
    """Keeps what comes right behind the handshake, until somebody is there to read it."""

    def __init__(self) -> None:
        self._data: list[bytes] = []
        self._lost = False

    def data_received(self, data: bytes) -> None:
        self._data.append(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._lost = True

    def hand_over(self, transport: asyncio.Transport, inner: asyncio.Protocol) -> None:
        if self._lost:
            return
        transport.set_protocol(inner)
        inner.connection_made(transport)
        for data in self._data:
            inner.data_received(data)
