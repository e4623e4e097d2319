from __future__ import annotations

import base64
import contextlib
import http.client
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from dashboard_serving import TOKEN, Served
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from edgecore.web.guards import BindRefusedError, Exposure, Guard, token_matches


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]:80", "10.0.0.1"],
)
def test_a_foreign_host_header_is_refused_everywhere(served: Served, host: str) -> None:
    for path in ("/", "/api/stream", "/api/history", "/static/main.js"):
        assert served.ask(path, host=host)[0] == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:9", "[::1]:8080"])
def test_every_name_of_loopback_opens_the_page(served: Served, host: str) -> None:
    assert served.ask("/", host=host)[0] == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1", "file://"]
)
def test_a_foreign_origin_is_refused_even_for_reading(served: Served, origin: str) -> None:
    assert served.ask("/api/history", origin=origin)[0] == 403


def test_its_own_origin_may_ask(served: Served) -> None:
    assert served.ask("/api/history", origin=f"http://127.0.0.1:{served.port}")[0] == 200


def test_a_request_that_a_foreign_page_caused_is_refused(served: Served) -> None:
    headers = {"sec-fetch-site": "cross-site"}

    assert served.ask("/api/history", **headers)[0] == 403


def test_a_refusal_says_what_to_do(served: Served) -> None:
    _, _, body = served.ask("/", host="evil.example")

    assert b"evil.example" in body
    assert b"localhost" in body


def test_every_answer_forbids_what_the_page_does_not_need(served: Served) -> None:
    for path in ("/", "/api/history", "/static/main.js", "/nothing"):
        headers = served.ask(path)[1]
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("exposure", "missing"),
    [
        (Exposure(host="0.0.0.0"), "a password and TLS"),
        (Exposure(host="192.168.1.5", password="x"), "TLS"),
        (Exposure(host="::", tls=True), "a password"),
        (Exposure(host="press7.local"), "a password and TLS"),
        (Exposure(host=""), "a password and TLS"),
    ],
)
def test_beyond_loopback_needs_a_password_and_tls(exposure: Exposure, missing: str) -> None:
    with pytest.raises(BindRefusedError, match=f"{missing} is missing"):
        exposure.check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_neither(host: str) -> None:
    Exposure(host=host).check()


def test_beyond_loopback_with_both_is_allowed() -> None:
    Exposure(host="0.0.0.0", password="x", tls=True).check()


@pytest.mark.parametrize("given", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ü"])
def test_only_the_whole_token_matches(given: str) -> None:
    assert not token_matches({"x-fanfold-token": given}, TOKEN)
    assert token_matches({"x-fanfold-token": TOKEN}, TOKEN)


def test_an_empty_token_never_matches() -> None:
    assert not token_matches({"x-fanfold-token": ""}, "")


@contextlib.contextmanager
def behind_password(password: str) -> Iterator[int]:
    async def page(_request: object) -> PlainTextResponse:
        return PlainTextResponse("in")

    app = Guard(Starlette(routes=[Route("/", page)]), Exposure(password=password))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


def test_a_password_guards_every_request() -> None:
    def ask(authorization: str | None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request(
                "GET", "/", headers={"authorization": authorization} if authorization else {}
            )
            return connection.getresponse().status

    def basic(text: str) -> str:
        return "Basic " + base64.b64encode(text.encode()).decode()

    with behind_password("geheim:ü") as port:
        answers = [ask(None), ask("Basic !"), ask(basic("a:b")), ask(basic("any:geheim:ü"))]

    assert answers == [401, 401, 401, 200]
