"""uvicorn inside the core's loop: no signal handlers, a quick stop, TLS by ``TlsListener``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from edgecore.core.descriptors import accepted_at_once, lengthen_queue
from edgecore.web.bounded import BoundedProtocol
from edgecore.web.handshakes import TlsListener

STOP_GRACE_S = 1
DATE_EVERY_S = 1.0


class UvicornServer(uvicorn.Server):
    """Behind TLS the connections are made by ``TlsListener``, not by asyncio."""

    tls: ssl.SSLContext | None = None

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._ended.set()

    async def main_loop(self) -> None:
        """uvicorn's own looks ten times a second whether it is to end: half of the wake-ups of a
        core that does nothing. Once a second is for the date in the answers."""
        while not await self.on_tick(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ended.wait(), DATE_EVERY_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the daemon's

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.tls is None:
            await super().startup(sockets=sockets)
            return
        await self.lifespan.startup()
        self._tls_listener = TlsListener(self.tls, self._connection)
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                self._tls_listener.protocol, sock=each, backlog=self.config.backlog
            )
            for each in sockets or []
        ]  # fmt: skip
        for server in self.servers:
            lengthen_queue(server)
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.tls is not None:
            self._tls_listener.close()
        await super().shutdown(sockets=sockets)

    def _connection(self) -> asyncio.Protocol:
        return BoundedProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def server_of(app: ASGIApp, tls: ssl.SSLContext | None) -> UvicornServer:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_GRACE_S,
        backlog=accepted_at_once(),
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        server_header=False,
        proxy_headers=False,
    )
    server = UvicornServer(config)
    server.tls = tls
    return server
