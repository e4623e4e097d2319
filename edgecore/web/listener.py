"""uvicorn inside the core's loop: its own socket, no signal handlers, a quick stop."""

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


class _Server(uvicorn.Server):
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


class HttpServer:
    """``port`` is known after ``bind``."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self._tls = tls

    def bind(self) -> None:
        """Raises OSError where the port is taken, or the address is not this machine's."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((self.host, self.port))
        self._socket.listen(128)  # now, so that whoever reads the port waits and is not refused
        self.port = self._socket.getsockname()[1]

    def start(self, app: ASGIApp) -> None:
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
        self._server = _Server(config)
        self._server.tls = self._tls
        self._task = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._task
