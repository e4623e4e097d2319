"""The two ways in: TCP for everybody's Lambdas, a Unix socket for our own runtime."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest
from checkout import PROJECT

from edgecore.core.workqueue import WorkBudget, WorkItem, WorkQueue, new_invocation_id
from edgecore.ipc import server as server_module
from edgecore.ipc.api import IpcApi
from edgecore.ipc.http1 import Request
from edgecore.ipc.server import Answer, IpcServer
from edgecore.ipc.tokens import Caller, Tokens

DEADLINE_S = 10.0
RESULT_AND_POLL = (
    b"POST /result HTTP/1.1\r\nContent-Length: 2\r\n\r\nok"
    b"GET /work HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
)
Open = Callable[[IpcServer], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Core:
    """Takes results at once; a poll waits until `item` is called."""

    def __init__(self) -> None:
        self.polled = asyncio.Event()

    def handle(self, request: Request, answer: Answer) -> None:
        if request.method == "POST":
            answer(200, b"", "X-Is: result\r\n")
            return
        self._poll = answer
        self.polled.set()

    def item(self) -> None:
        self._poll(200, b"item", "")


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Core, IpcServer]]:
    core = Core()
    server = IpcServer(core)
    await server.start(0)
    try:
        yield core, server
    finally:
        await server.stop()


async def over_tcp(server: IpcServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", server.port)


async def over_unix(server: IpcServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(server.unix_name.replace("@", "\0", 1))


async def first_packet(open_: Open, *, item_first: bool) -> bytes:
    async with serving() as (core, server):
        reader, writer = await open_(server)
        writer.write(RESULT_AND_POLL)
        await asyncio.wait_for(core.polled.wait(), DEADLINE_S)
        if item_first:
            core.item()
        found = await asyncio.wait_for(reader.read(65_536), DEADLINE_S)
        writer.close()
        return found


def test_on_the_unix_socket_a_results_answer_leaves_together_with_the_next_item() -> None:
    packet = asyncio.run(first_packet(over_unix, item_first=True))

    assert packet.index(b"X-Is: result") < packet.index(b"\r\n\r\nitem")


def test_over_tcp_a_results_answer_does_not_wait_for_the_next_item() -> None:
    packet = asyncio.run(first_packet(over_tcp, item_first=False))

    assert b"X-Is: result" in packet
    assert b"item" not in packet


def test_each_of_many_slow_senders_gets_408_at_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever part of a request it has sent. Soak asks the real core, after the real 10 s."""
    monkeypatch.setattr(server_module, "REQUEST_DEADLINE_S", 0.3)
    request = b"POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n"

    async def answers() -> list[bytes]:
        async with serving() as (_, server):
            ends = [await over_tcp(server) for _ in request]
            for sent, (_, writer) in enumerate(ends, start=1):
                writer.write(request[:sent])
            reads = (asyncio.wait_for(reader.read(), DEADLINE_S) for reader, _ in ends)
            return [answer[:12] for answer in await asyncio.gather(*reads)]

    assert asyncio.run(answers()) == [b"HTTP/1.1 408"] * len(request)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our runtime's modules can be imported, all of them anew: half of them would not know the
    others' errors."""
    monkeypatch.syspath_prepend(str(PROJECT / "edgecore" / "runtime" / "provided"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "fanfold_runtime"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def wire_class(monkeypatch: pytest.MonkeyPatch, runtime: None) -> type:
    from fanfold_runtime import wire  # type: ignore[import-not-found]

    # A time limit that a test can wait for.
    monkeypatch.setattr(wire, "_ANSWER_TIMEVAL", wire.struct.pack("ll", 0, 50_000))
    found: type = wire.Wire
    return found


@pytest.mark.parametrize("unix", [True, False])
def test_a_poll_waits_longer_than_an_answer_may_take(wire_class: type, unix: bool) -> None:
    async def poll() -> bytes:
        async with serving() as (core, server):
            wire = wire_class(server.port, server.unix_name if unix else "")
            wire.send(RESULT_AND_POLL)
            loop = asyncio.get_running_loop()
            both = loop.run_in_executor(None, lambda: [wire.receive(waits=True) for _ in "12"])
            await asyncio.wait_for(core.polled.wait(), DEADLINE_S)
            done, _ = await asyncio.wait([both], timeout=0.2)  # four times the limit
            assert not done
            core.item()
            _, item = await asyncio.wait_for(both, DEADLINE_S)
            wire.close()
            return bytes(item.body)

    assert asyncio.run(poll()) == b"item"


def test_a_call_that_is_not_answered_in_time_is_an_error(wire_class: type) -> None:
    async def call() -> None:
        async with serving() as (_, server):
            wire = wire_class(server.port, server.unix_name)
            wire.send(b"GET /work HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            with pytest.raises(Exception, match="no answer within"):
                await asyncio.to_thread(wire.receive)

    asyncio.run(call())


def test_to_read_on_where_the_core_has_closed_is_an_error_that_a_poll_can_repeat(
    wire_class: type,
) -> None:
    with pytest.raises(Exception, match="closed after the last answer") as caught:
        wire_class(0).receive(waits=True)

    assert type(caught.value).__name__ == "WireError"


def test_where_the_unix_socket_is_away_the_runtime_speaks_tcp(wire_class: type) -> None:
    async def call() -> int:
        async with serving() as (_, server):
            wire = wire_class(server.port, "@fanfold-ipc-nobody-listens-here")
            await asyncio.to_thread(wire.send, b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            reply = await asyncio.to_thread(wire.receive)
            wire.close()
            return int(reply.status)

    assert asyncio.run(call()) == 200


def test_messages_of_one_packet_are_each_answered(
    monkeypatch: pytest.MonkeyPatch, runtime: None
) -> None:
    """Also those behind a refused one; more than a packet holds go in several."""
    from fanfold_runtime import publishing  # type: ignore[import-not-found]

    monkeypatch.setattr(publishing, "PACKET_MESSAGES", 3)
    seen: list[tuple[str, bytes]] = []

    class Router:
        def handle(self, request: Request, answer: Answer) -> None:
            context = json.loads(base64.b64decode(request.headers[b"x-amz-client-context"]))
            seen.append((context["custom"]["subject"], request.body))
            full = request.body == b"3"
            answer(429 if full else 200, b"the core is full\n" if full else b"", "")

    async def said() -> list[str]:
        server = IpcServer(Router())
        await server.start(0)
        monkeypatch.setenv("FANFOLD_IPC_SOCKET", server.unix_name)
        messages = [(f"t/{n}", str(n).encode()) for n in range(8)]
        try:
            return await asyncio.to_thread(publishing.publish_all, messages)
        finally:
            await server.stop()

    answers = asyncio.run(said())
    assert seen == [(f"t/{n}", str(n).encode()) for n in range(8)]
    assert [bool(each) for each in answers] == [n == 3 for n in range(8)]
    assert "the core is full" in answers[3]


class Nobody:
    """What a core's parts say of a worker, unheard."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_: None


ARN = "arn:aws:lambda:us-east-1:123456789012:function:several:1"


def test_a_handler_that_takes_several_items_gets_them_in_order_and_each_has_its_answer(
    monkeypatch: pytest.MonkeyPatch, runtime: None
) -> None:
    """Also the one that fails among them; those without a result are answered together."""
    from fanfold_runtime import calls, loop  # type: ignore[import-not-found]

    handled: list[bytes] = []
    answered: dict[bytes, tuple[bytes, str]] = {}

    def handler(event: bytes, _context: object) -> str | None:
        handled.append(event)
        if event == b"3":
            raise ValueError("no such number")
        return "five" if event == b"5" else None

    handler.items_at_once = 4  # type: ignore[attr-defined]

    async def serve() -> None:
        clock = asyncio.get_running_loop()
        queue = WorkQueue(WorkBudget(), clock.time, clock.call_soon)
        tokens, unused = Tokens(), cast(Any, None)
        api = IpcApi(
            router=unused, queues={ARN: queue}, tokens=tokens, shadows=unused,
            credentials=unused, secrets=unused,
        )  # fmt: skip
        api.attach(cast(Any, Nobody()))
        server = IpcServer(api)
        await server.start(0)
        monkeypatch.setenv("FANFOLD_IPC_SOCKET", server.unix_name)
        monkeypatch.setattr(calls, "_TOKEN", tokens.issue(Caller(ARN, "w")))
        monkeypatch.setattr(loop, "BACKOFF_TOTAL_S", 0.0)
        all_answered = asyncio.Event()

        def reply(number: bytes, payload: bytes, error: str) -> None:
            answered[number] = payload, error
            if len(answered) == 9:
                all_answered.set()

        for number in (str(n).encode() for n in range(9)):
            queue.offer(WorkItem(new_invocation_id(), number, reply=partial(reply, number)))
        working = asyncio.ensure_future(asyncio.to_thread(loop.work, handler, ARN, "binary"))
        await asyncio.wait_for(all_answered.wait(), DEADLINE_S)
        await server.stop()
        await asyncio.gather(working, return_exceptions=True)

    asyncio.run(serve())
    assert handled == [str(n).encode() for n in range(9)]
    assert answered.pop(b"5") == (b"five", "")
    payload, error = answered.pop(b"3")
    assert (json.loads(payload)["errorMessage"], error) == ("no such number", "Handled")
    assert set(answered.values()) == {(b"", "")}
