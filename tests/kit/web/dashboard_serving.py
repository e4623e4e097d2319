"""A dashboard on a free loopback port, fed by a replayed core."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from dashboard_replay import ReplayCore
from starlette.applications import Starlette
from starlette.routing import Mount

from edgecore.people.sessions import Sessions
from edgecore.people.users import Users
from edgecore.web.access.authenticators import LoopbackAuthenticator
from edgecore.web.access.guard import Guard
from edgecore.web.access.signin import SignIn
from edgecore.web.dashboard.app import Dashboard, Ports

TOKEN = "t" * 43


@dataclass
class Served:
    """The server lives in its own thread with its own loop, as in the core's process."""

    core: ReplayCore
    dashboard: Dashboard
    port: int
    loop: asyncio.AbstractEventLoop

    def do(self, action: Callable[[], Any]) -> Any:
        """Run in the server's loop, as a message from the router would."""

        async def call() -> Any:
            return action()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(10)

    def trace(self, stream: str, seq: int) -> Any:
        """Read in the loop: a trace that is asked for is filed, and the loop files others."""
        return self.do(lambda: self.dashboard.page_model.traces.get(stream, seq))

    def ask(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            named = {k.replace("_", "-"): v for k, v in headers.items()}
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, sent, named)
            answer = connection.getresponse()
            headers_back = {k.lower(): v for k, v in answer.getheaders()}
            return answer.status, headers_back, answer.read()

    def json(self, path: str, **headers: str) -> Any:
        status, _, body = self.ask(path, **headers)
        assert status == 200, body
        return json.loads(body)

    def act(self, name: str, body: Any, token: str = TOKEN) -> tuple[int, str]:
        status, _, answer = self.ask(
            f"/api/actions/{name}", "POST", body, **{"x-fanfold-token": token}
        )
        return status, json.loads(answer)["message"]

    def eventually(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if found := condition():
                return found
            threading.Event().wait(0.02)
        pytest.fail(f"not within 10 s: {what}")


@contextlib.contextmanager
def serving(core: ReplayCore, *, read_only: bool = False, port: int = 0) -> Iterator[Served]:
    ready, made = threading.Event(), []
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen()  # before a test asks, whenever the server gets the processor

    async def serve() -> None:
        ports = Ports(status=core, hub=core, actions=core, log_dir=core.log_dir)
        dashboard = Dashboard(ports, core.view, read_only=read_only)
        users = Users(core.log_dir)
        me = SignIn(users, Sessions(core.log_dir, users)).routes()
        app = Starlette(routes=[*me, Mount("/", dashboard.app)])
        guarded = Guard(app, LoopbackAuthenticator(token=TOKEN))
        config = uvicorn.Config(guarded, log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        feeding = asyncio.create_task(dashboard.run())
        made.extend((dashboard, asyncio.get_running_loop(), server, feeding))
        asyncio.get_running_loop().call_later(0.05, ready.set)
        await server.serve(sockets=[sock])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    dashboard, loop, server, feeding = made
    try:
        yield Served(core, dashboard, sock.getsockname()[1], loop)
    finally:
        loop.call_soon_threadsafe(feeding.cancel)
        server.should_exit = True
        thread.join(10)
