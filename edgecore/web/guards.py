"""Who may ask: Host and Origin (DNS rebinding, foreign pages), password, token, where to bind."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "x-fanfold-token"  # noqa: S105 - the header's name, not a token
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class BindRefusedError(Exception):
    """The address would expose the page without protection."""


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """Where the server listens and what protects it beyond loopback."""

    host: str = "127.0.0.1"
    password: str | None = None
    tls: bool = False
    names: tuple[str, ...] = ()
    """Host names that browsers use for this machine, beyond loopback."""

    def check(self) -> None:
        """Raises BindRefusedError beyond loopback without both a password and TLS."""
        if is_loopback(self.host):
            return
        missing = [
            name for name, given in (("a password", self.password), ("TLS", self.tls)) if not given
        ]
        if missing:
            raise BindRefusedError(
                f"address {self.host!r} is not loopback and {' and '.join(missing)} is missing: "
                "bind 127.0.0.1 and use an SSH tunnel, or configure both a password and a "
                "certificate"
            )

    @property
    def hosts(self) -> frozenset[str]:
        return LOOPBACK_NAMES | {n.lower() for n in (*self.names, self.host)}


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token_matches(headers: Mapping[str, str], token: str) -> bool:
    """A header, never a cookie: a foreign page cannot make a browser send it."""
    given = headers.get(TOKEN_HEADER, "")
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


class Guard:
    """ASGI middleware around everything that the core serves over HTTP."""

    def __init__(self, app: ASGIApp, exposure: Exposure) -> None:
        self._app = app
        self._hosts = exposure.hosts
        self._password = exposure.password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        app = refusal if refusal is not None else self._app
        await app(scope, receive, _with_security_headers(send))

    def _refusal(self, headers: Headers) -> PlainTextResponse | None:
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            return PlainTextResponse(
                f"Host {host!r} is not a name of this core. Use one of {sorted(self._hosts)}, "
                "or name it in the core's arguments.\n",
                status_code=421,
            )
        if not _same_origin(headers, self._hosts):
            return PlainTextResponse(
                "Requests from pages of another origin are refused.\n", status_code=403
            )
        if self._password is not None and not _password_matches(headers, self._password):
            return PlainTextResponse(
                "Password required.\n",
                status_code=401,
                headers={"www-authenticate": 'Basic realm="fanfold", charset="UTF-8"'},
            )
        return None


def _name(host: str) -> str:
    """``[::1]:8080`` → ``::1``; ``localhost:8080`` → ``localhost``."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _same_origin(headers: Headers, hosts: Collection[str]) -> bool:
    """``Origin: null`` (a sandboxed frame, a file) is foreign too."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in {"same-origin", "none"}
    scheme, _, authority = origin.partition("://")
    same = authority == headers.get("host", "")
    return scheme in {"http", "https"} and same and _name(authority) in hosts


def _password_matches(headers: Headers, password: str) -> bool:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return False
    return hmac.compare_digest(given.encode(), password.encode())


def _with_security_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            raw = [(k.encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]
            message["headers"] = [*message.get("headers", []), *raw]
        await send(message)

    return wrapped
