"""The listening end: connections, deadlines, order of answers. What to answer is api.py's.

Requests of one connection are answered in order, one at a time: a client may pipeline
(ours sends a result and the next poll in one packet). On the Unix socket, which only our own
runtime is told of, the answers of such a packet leave together: one write, one wake-up.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Iterable
from typing import Protocol, cast

from edgecore.core.descriptors import accepted_at_once, cap, lengthen_queue
from edgecore.ipc.http1 import (
    MAX_HEAD_BYTES,
    MAX_LOG_BODY_BYTES,
    BadRequestError,
    Request,
    RequestParser,
    response,
)

log = logging.getLogger(__name__)

REQUEST_DEADLINE_S = 10.0
"""From a request's first byte (or from connecting) to its last: slow senders are cut off."""
MAX_CONNECTIONS = 1024
MAX_UNPROVED = 128
"""Connections on which no request with a function's token has come yet. One more ends the
oldest of them: who only connects keeps no function out."""
MAX_BUFFERED_BYTES = MAX_HEAD_BYTES + MAX_LOG_BODY_BYTES
SEND_BYTES = 1 << 19
"""A poll's answer may be a third of a megabyte of pictures; the kernel gives what it allows."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Answer(Protocol):
    def __call__(
        self, status: int, body: bytes, headers: str, behind: Iterable[bytes] = ()
    ) -> None:
        """Called once; ``headers`` are whole lines, ``behind`` pieces of further whole responses,
        which the client has asked for with the same request."""


class Handler(Protocol):
    def handle(self, request: Request, answer: Answer) -> Callable[[], None] | None:
        """Answer now or later; returns what to call should the client go away meanwhile."""


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: IpcServer) -> None:
        self._server = server
        self._parser = RequestParser()
        self._busy = False
        self._closing = False
        self._unread = False
        self._abandon: Callable[[], None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._serial = 0
        self._continued = False
        self._gathers = False
        self._gathered: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        self._gathers = sock is not None and sock.family == socket.AF_UNIX
        if sock is not None and self._gathers:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        elif sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self._server.connections) >= MAX_CONNECTIONS:
            self._fail(503, f"the core holds {MAX_CONNECTIONS} connections already")
            return
        self._server.connections.add(self)
        self._server.unproved[self] = None
        if len(self._server.unproved) > cap(MAX_UNPROVED):
            next(iter(self._server.unproved)).close()
        self._arm()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._server.unproved.pop(self, None)
        self._closing = True
        self._disarm()
        if self._abandon is not None:
            abandon, self._abandon = self._abandon, None
            abandon()

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        if not self._busy and not self._unread:
            self._advance()
        elif self._parser.buffered > MAX_BUFFERED_BYTES:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Answers pile up unread: whoever asks without listening must not cost memory."""
        self._unread = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._unread = False
        if not self._closing:
            self._transport.resume_reading()
            self._advance()

    def _advance(self) -> None:
        """Take requests as long as they are answered at once and the answers are read."""
        self._take_requests()
        # What is gathered waits for a poll that came behind it, and for nothing else.
        if self._gathered and not self._busy:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._gathered)
        self._gathered.clear()
        self._transport.write(data)

    def _take_requests(self) -> None:
        # A client that has gone is known to asyncio first, and noisily for each answer.
        while not (self._busy or self._closing or self._unread or self._transport.is_closing()):
            try:
                request = self._parser.next()
            except BadRequestError as error:
                self._fail(error.status, str(error))
                return
            if request is None:
                self._wait_for_more()
                return
            self._disarm()
            self._continued = False
            self._start(request)

    def _wait_for_more(self) -> None:
        if self._parser.wants_continue and not self._continued:
            self._continued = True
            if self._gathered:
                self._flush()
            self._transport.write(CONTINUE)
        if self._parser.buffered and self._deadline is None:
            self._arm()

    def _start(self, request: Request) -> None:
        self._busy = True
        self._serial += 1
        serial = self._serial

        def answer(status: int, body: bytes, headers: str, behind: Iterable[bytes] = ()) -> None:
            if serial != self._serial or not self._busy or self._closing:
                return
            self._busy = False
            self._abandon = None
            if status not in (401, 403):
                self._server.unproved.pop(self, None)
            self._gathered += response(status, body, headers, keep_alive=request.keep_alive)
            self._gathered += behind
            if self._resumable or not self._gathers or not request.keep_alive:
                self._flush()
            if not request.keep_alive:
                self._closing = True
                self._transport.close()
            elif self._resumable and not self._unread:
                self._transport.resume_reading()
                self._advance()

        self._resumable = False
        try:
            abandon = self._server.handler.handle(request, answer)
        except Exception:
            log.exception("request %s %s failed", request.method, request.path)
            answer(500, b"internal error, see the core's log\n", "")
            abandon = None
        if self._busy and serial == self._serial:
            self._abandon = abandon
            self._resumable = True

    def _arm(self) -> None:
        self._deadline = self._server.loop.call_later(REQUEST_DEADLINE_S, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        self._fail(408, f"no complete request within {REQUEST_DEADLINE_S:g} s")

    def _fail(self, status: int, message: str) -> None:
        self._closing = True
        self._disarm()
        body = f"{message}\n".encode()
        self._gathered += response(status, body, keep_alive=False)
        self._flush()
        self._transport.close()

    def close(self) -> None:
        self._server.unproved.pop(self, None)
        self._transport.abort()


class IpcServer:
    """Listens on loopback; ``port`` is known after ``start``.

    ``unix_name`` is a second way in for our own runtime: an abstract Unix socket, ``@`` for
    its leading NUL. Containers share the network and so reach it; a token is needed as on TCP.
    """

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.connections: set[Connection] = set()
        self.unproved: dict[Connection, None] = {}  # the oldest first
        self.port = 0
        self.unix_name = f"@fanfold-ipc-{secrets.token_hex(8)}"
        self._servers: list[asyncio.Server] = []

    async def start(self, port: int) -> None:
        """Raises OSError where the port is taken."""
        self.loop = asyncio.get_running_loop()
        # "localhost" may mean ::1 first to a client; AWS's listens on IPv4, so do we.
        tcp = await self.loop.create_server(
            lambda: Connection(self), "127.0.0.1", port, backlog=accepted_at_once()
        )
        lengthen_queue(tcp)
        self._servers.append(tcp)
        self.port = tcp.sockets[0].getsockname()[1]
        unix = await self.loop.create_unix_server(
            lambda: Connection(self),
            self.unix_name.replace("@", "\0", 1),
            backlog=accepted_at_once(),
        )
        lengthen_queue(unix)
        self._servers.append(unix)

    async def stop(self) -> None:
        """Close everything now: long polls would never end by themselves."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        if servers:
            for connection in list(self.connections):
                connection.close()
