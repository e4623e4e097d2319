"""A port of the web: bound before anything runs, served by uvicorn when there is something."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp


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
        # A fifth of the core's imports: the functions start meanwhile.
        from edgecore.web.uvicorn_server import server_of

        self._server = server_of(app, self._tls)
        self._task = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))

    async def stop(self) -> None:
        self._server.end()
        await self._task
