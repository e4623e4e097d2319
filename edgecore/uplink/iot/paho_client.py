"""paho's client where it needs another socket, and connecting without blocking the core's end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho

from edgecore.uplink.iot.proxy import tunnel


class Client(paho.Client):
    """paho's own way through a proxy is PySocks, which sends an HTTP proxy no password. Both
    methods are not public; paho is pinned, and tests go through each."""

    def __init__(self, proxy: str | None, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._http_proxy = proxy

    def _create_socket_connection(self) -> socket.socket:
        if self._http_proxy is None:
            return super()._create_socket_connection()
        return tunnel(self._http_proxy, self.host, self.port, self.connect_timeout)

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """As paho's, but a handshake that fails leaves no open socket behind."""
        assert self._ssl_context is not None  # noqa: S101 - set with the client
        wrapped: ssl.SSLSocket = self._ssl_context.wrap_socket(
            tcp_sock, server_hostname=self.host, do_handshake_on_connect=False
        )
        try:
            wrapped.settimeout(self.connect_timeout)
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped


async def in_a_thread_of_its_own(work: Callable[[], object]) -> None:
    """Resolving and connecting may hang for long; no end of the core waits for this thread."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish(error: Exception | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def run() -> None:
        problem: Exception | None = None
        try:
            work()
        except Exception as error:  # handed to whoever waits
            problem = error
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(finish, problem)

    threading.Thread(target=run, name="cloud-connect", daemon=True).start()
    await done
