"""uvicorn inside the core's loop: its own socket, no signal handlers, a quick stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from edgecore.core.descriptors import accepted_at_once
from edgecore.core.options import Web
from edgecore.web.bounded import BoundedProtocol

STOP_GRACE_S = 1


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the daemon's


class HttpServer:
    """``port`` is known after ``bind``."""

    def __init__(self, port: int, web: Web | None = None) -> None:
        self.port = port
        self._web = web or Web()

    def bind(self) -> None:
        """Raises OSError where the port is taken."""
        family = socket.AF_INET6 if ":" in self._web.host else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((self._web.host, self.port))
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
            ssl_certfile=self._web.certificate,
            ssl_keyfile=self._web.key,
        )
        self._server = _Server(config)
        self._task = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._task
