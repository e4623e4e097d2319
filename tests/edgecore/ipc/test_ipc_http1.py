from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.ipc.http1 import (
    LOG_PATH,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    BadRequestError,
    Request,
    RequestParser,
)


def parse(data: bytes) -> Request | None:
    parser = RequestParser()
    parser.feed(data)
    return parser.next()


def status_of(data: bytes) -> int:
    with pytest.raises(BadRequestError) as caught:
        parse(data)
    return caught.value.status


def post(size: int, path: str = "/x") -> bytes:
    return f"POST {path} HTTP/1.1\r\nContent-Length: {size}\r\n\r\n".encode()


def test_the_largest_body_is_taken_and_one_byte_more_is_413() -> None:
    request = parse(post(MAX_BODY_BYTES) + b"x" * MAX_BODY_BYTES)
    assert request is not None
    assert len(request.body) == 131_072
    assert status_of(post(MAX_BODY_BYTES + 1)) == 413


def test_log_requests_may_be_larger() -> None:
    assert parse(post(MAX_BODY_BYTES + 1, LOG_PATH + "/")) is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET x HTTP/1.1\r\n\r\n", 400),
        (b"DELETE / HTTP/1.1\r\n\r\n", 405),
        (b"GET / HTTP/2\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nName : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * MAX_HEAD_BYTES, 431),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_malformed_is_refused_not_guessed(data: bytes, status: int) -> None:
    assert status_of(data) == status


def test_a_quoted_arn_in_the_path_is_decoded() -> None:
    request = parse(b"GET /functions/arn%3Aaws:x/work?a=b HTTP/1.0\r\n\r\n")
    assert request is not None
    assert request.path == "/functions/arn:aws:x/work"
    assert not request.keep_alive


BODIES = st.lists(st.binary(max_size=40), min_size=1, max_size=5)


@given(BODIES, st.lists(st.integers(1, 30), min_size=1))
def test_pipelined_requests_survive_any_split_of_the_stream(
    bodies: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(post(len(body)) + body for body in bodies)
    parser, seen, at, turn = RequestParser(), [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        parser.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
        while (request := parser.next()) is not None:
            seen.append(request.body)
    assert seen == bodies
    assert parser.buffered == 0


@given(st.binary(max_size=400))
def test_no_bytes_make_the_parser_fail_otherwise_than_by_refusing(data: bytes) -> None:
    parser = RequestParser()
    parser.feed(data + b"\r\n\r\n")
    status = 0
    try:
        while parser.next() is not None:
            pass
    except BadRequestError as error:
        status = error.status
    assert status == 0 or 400 <= status < 600
