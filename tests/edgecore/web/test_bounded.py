"""Whoever only connects gets no place that somebody else needs."""

from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from edgecore.web.bounded import BoundedProtocol
from edgecore.web.listener import HttpServer

DEADLINE_S = 20.0
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
APP = Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"))])


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "max_connections", 5)
    monkeypatch.setattr(BoundedProtocol, "idle_look_s", 0.1)


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(ASK)
    async with asyncio.timeout(DEADLINE_S):
        return await reader.readuntil(b"here")


def test_silent_connections_beyond_the_cap_push_one_another_out_and_nobody_who_asks(few) -> None:
    async def scenario() -> None:
        server = HttpServer("127.0.0.1", 0)
        server.bind()
        server.start(APP)
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
        for _ in range(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            assert b"200 OK" in await asked(reader, writer)
            writer.close()
        for sock in silent:
            sock.close()
        await server.stop()

    asyncio.run(asyncio.wait_for(scenario(), 2 * DEADLINE_S))


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: loc"], ids=["silent", "slow"])
def test_a_head_that_does_not_come_closes_its_connection(few, begun: bytes) -> None:
    async def scenario() -> None:
        server = HttpServer("127.0.0.1", 0)
        server.bind()
        server.start(APP)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(begun)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        writer.close()
        await server.stop()

    asyncio.run(asyncio.wait_for(scenario(), 2 * DEADLINE_S))
