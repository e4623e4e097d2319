"""`fanfold sites --serve`: the fleet page on loopback, read anew while somebody looks at it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from fanfold.fleet.page import REFRESH_S, page

HOST = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Newest:
    """What was read last; read again when it is older than `keep_s`, by one caller at a time."""

    def __init__(self, read: Callable[[], Any], keep_s: float) -> None:
        self._read, self._keep_s, self._lock = read, keep_s, threading.Lock()
        self._data: Any = None
        self._read_at = float("-inf")

    def data(self) -> Any:
        with self._lock:
            if time.monotonic() - self._read_at >= self._keep_s:
                self._data = self._read()
                self._read_at = time.monotonic()
            return self._data


def app(read: Callable[[], Any], keep_s: float = REFRESH_S / 2) -> Starlette:
    """`read` gives `page.data_of`; it is called in a thread."""
    newest = Newest(read, keep_s)

    def show(_: Request) -> Response:
        return HTMLResponse(page(newest.data()), headers=HEADERS)

    def sites(_: Request) -> Response:
        return JSONResponse(newest.data(), headers=HEADERS)

    # Another page's script could else reach it under a name of its own (DNS rebinding).
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return Starlette(routes=[Route("/", show), Route("/sites.json", sites)], middleware=[guard])


def serve(read: Callable[[], Any], port: int, announce: Callable[[int], None]) -> None:
    """Until ctrl-C; `announce` gets the port once it is ours. Raises OSError where it is taken."""
    with socket.create_server((HOST, port)) as listening:
        announce(int(listening.getsockname()[1]))
        config = uvicorn.Config(app(read), log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])
