"""uvicorn inside the core's loop: no signal handlers, a quick stop, TLS by ``TlsFront``."""

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
from edgecore.web.handshakes import TlsFront

STOP_GRACE_S = 1


class UvicornServer(uvicorn.Server):
    """Behind TLS the connections are made by ``TlsFront``, not by asyncio."""

    tls: ssl.SSLContext | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the daemon's

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.tls is None:
            await super().startup(sockets=sockets)
            return
        await self.lifespan.startup()
        self._front = TlsFront(self.tls, self._connection)
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                self._front.protocol, sock=each, backlog=self.config.backlog
            )
            for each in sockets or []
        ]  # fmt: skip
        for server in self.servers:
            lengthen_queue(server)
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.tls is not None:
            self._front.close()
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
