from __future__ import annotations

import pytest
from dashboard_serving import TOKEN, Served

from edgecore.web.access.authenticators import token_matches


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
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("given", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ü"])
def test_only_the_whole_token_matches(given: str) -> None:
    assert not token_matches({"x-fanfold-token": given}, TOKEN)
    assert token_matches({"x-fanfold-token": TOKEN}, TOKEN)


def test_an_empty_token_never_matches() -> None:
    assert not token_matches({"x-fanfold-token": ""}, "")
