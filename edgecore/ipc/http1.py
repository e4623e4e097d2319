"""HTTP/1.1 requests out of a byte stream. No IO: bytes in, requests or an error out.

Only what Lambdas need, and strict about it: one way to give a length, no chunks, no folded
or nameless headers. A parser that guesses is how one request becomes two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote

from contract.limits import MESSAGE_BYTES

MAX_HEAD_BYTES = 16_384
MAX_BODY_BYTES = MESSAGE_BYTES.value
"""128 KB, AWS IoT's message limit: what the cloud would refuse is refused here too."""
MAX_LOG_BODY_BYTES = 1_048_576 + 65_536
"""The published client fills log requests to 1 MiB, not counting JSON's punctuation."""
LOG_PATH = "/2016-11-01/cloudwatch/logs"

KNOWN_HEADS = 256
"""Polls and publishes on the same topic have the same head again and again; of an error nothing is
remembered."""
KNOWN_HEAD_BYTES = 1024
KNOWN_LINES = 512
"""Of a head that has an invocation's number, and so never comes again, all other lines do."""
KNOWN_LINE_BYTES = 512

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_TARGET = re.compile(rb"/[!-~]*\Z")
_METHODS = {b"GET": "GET", b"POST": "POST", b"PUT": "PUT"}
_VERSIONS = {b"HTTP/1.1", b"HTTP/1.0"}

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Payload Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


@dataclass(slots=True)
class Request:
    """Header names are lower case; ``path`` is decoded and without its query."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    body: bytes
    keep_alive: bool


class BadRequestError(Exception):
    """The stream is not to be read any further."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Head(NamedTuple):
    """What a head says; ``length``: of the body behind it."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    keep_alive: bool
    length: int


class RequestParser:
    """Feed bytes, take requests in order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: _Head | None = None

    def feed(self, data: bytes) -> None:
        self._buffer += data

    @property
    def buffered(self) -> int:
        """Bytes that are no whole request yet."""
        return len(self._buffer) + (1 if self._head else 0)

    @property
    def wants_continue(self) -> bool:
        """A head is complete and its sender waits for ``100 Continue`` before the body."""
        head = self._head
        return head is not None and head.headers.get(b"expect") == b"100-continue"

    def next(self) -> Request | None:
        """The next whole request, or None. Raises BadRequestError."""
        if self._head is None:
            self._head = self._take_head()
            if self._head is None:
                return None
        head = self._head
        if len(self._buffer) < head.length:
            return None
        body = b""
        if head.length:
            with memoryview(self._buffer) as view:  # a slice would be one more copy
                body = bytes(view[: head.length])
            del self._buffer[: head.length]
        self._head = None
        return Request(head.method, head.path, head.headers, body, head.keep_alive)

    def _take_head(self) -> _Head | None:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                raise BadRequestError(431, f"request head exceeds {MAX_HEAD_BYTES} bytes")
            return None
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        return _parse_known(head) if len(head) <= KNOWN_HEAD_BYTES else _parse_head(head)


def _parse_head(head: bytes) -> _Head:
    lines = head.split(b"\r\n")
    parts = lines[0].split(b" ")
    if len(parts) != 3 or not _TARGET.match(parts[1]):  # method, target, version
        raise BadRequestError(400, "malformed request line")
    method = _METHODS.get(parts[0])
    if method is None:
        raise BadRequestError(405, "method is not GET, POST or PUT")
    if parts[2] not in _VERSIONS:
        raise BadRequestError(505, "version is neither HTTP/1.1 nor HTTP/1.0")
    headers = _parse_headers(lines[1:])
    path = parts[1].partition(b"?")[0].decode()
    if "%" in path:
        path = unquote(path, errors="replace")
    length = _body_length(headers, path)
    connection = headers.get(b"connection", b"").lower()
    keep_alive = connection != b"close" and parts[2] == b"HTTP/1.1"
    return _Head(method, path, MappingProxyType(headers), keep_alive, length)


_parse_known = lru_cache(KNOWN_HEADS)(_parse_head)


def _parse_line(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.match(name) or b"\0" in value or b"\n" in value:
        raise BadRequestError(400, "malformed header line")
    return name.lower(), value.strip(b" \t")


_parse_known_line = lru_cache(KNOWN_LINES)(_parse_line)


def _parse_headers(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        known = len(line) <= KNOWN_LINE_BYTES
        key, value = _parse_known_line(line) if known else _parse_line(line)
        if key in headers and key in {b"content-length", b"authorization", b"transfer-encoding"}:
            raise BadRequestError(400, f"header {key.decode()} is given twice")
        headers[key] = value
    return headers


def _body_length(headers: Mapping[bytes, bytes], path: str) -> int:
    if b"transfer-encoding" in headers:
        raise BadRequestError(411, "chunked bodies are not supported: send Content-Length")
    text = headers.get(b"content-length", b"0")
    if not text.isdigit() or len(text) > 12:  # a terabyte is no number we need
        raise BadRequestError(400, "Content-Length is not a number")
    length = int(text)
    limit = MAX_LOG_BODY_BYTES if path.startswith(LOG_PATH) else MAX_BODY_BYTES
    if length > limit:
        raise BadRequestError(413, f"body is {length} bytes (limit {limit}): send less")
    return length


def response(
    status: int, body: bytes = b"", headers: str = "", *, keep_alive: bool = True
) -> tuple[bytes, bytes]:
    """Head and body of one response; ``headers`` are whole lines, each ended by CRLF.

    Two pieces, since a body may be a picture, and all that leaves together is joined once.
    """
    closing = "" if keep_alive else "Connection: close\r\n"
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{headers}{closing}\r\n".encode("latin-1"), body
