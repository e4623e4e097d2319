"""Two ways in: loopback with the core's token, and the local network with users."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Scope

from edgecore.people.kept_file import KeptFileError
from edgecore.people.roles import Role
from edgecore.people.sessions import Sessions
from edgecore.people.users import User, Users
from edgecore.web.access.identity import By, Identity
from edgecore.web.access.origin import LOOPBACK_NAMES

TOKEN_HEADER = "x-fanfold-token"  # noqa: S105 - the header's name, not a token
AS_HEADER = "x-fanfold-user"
"""With the token: whose hand it is in, for the audit log."""
PAGES = frozenset({"/", "/history", "/regions", "/people", "/login"})
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")


class Authenticator(Protocol):
    """What `edgecore.web.access.guard` asks of each way in."""

    @property
    def signs_in(self) -> bool:
        """Whether people sign in here."""

    def hosts(self, scope: Scope) -> Collection[str]:
        """Names and addresses that a request may mean with ``Host``, in lower case."""

    def identify(self, scope: Scope, headers: Headers) -> Identity: ...

    def ask_who(self, scope: Scope) -> Response:
        """401, or the way to the log-in, for somebody without a role or with too little of one."""


def token_matches(headers: Mapping[str, str], token: str) -> bool:
    """A header, never a cookie: a foreign page cannot make a browser send it."""
    given = headers.get(TOKEN_HEADER, "")
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


@dataclass(frozen=True, kw_only=True)
class LoopbackAuthenticator:
    """Whoever is on this machine reads; who has the token may do everything."""

    token: str
    names: frozenset[str] = frozenset()
    signs_in: bool = False

    def hosts(self, scope: Scope) -> Collection[str]:  # noqa: ARG002
        return LOOPBACK_NAMES | self.names

    def identify(self, scope: Scope, headers: Headers) -> Identity:
        address = peer(scope)
        if not token_matches(headers, self.token):
            return Identity(name="", role=Role.VIEWER, by="nobody", address=address)
        said = headers.get(AS_HEADER, "")
        name = f"local:{said}" if _PLAIN_NAME.fullmatch(said) else "local"
        return Identity(name=name, role=Role.ADMIN, by="token", address=address)

    def ask_who(self, scope: Scope) -> Response:  # noqa: ARG002
        return problem(401, "Token missing or wrong: it is in the core's core.json.")


@dataclass(frozen=True, kw_only=True)
class TrustedProxy:
    """Signs people in elsewhere (OIDC) and names them in a header; only from these addresses."""

    header: str
    addresses: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class UserAuthenticator:
    """Users with roles: a session's cookie, a program's token, or a trusted proxy's word."""

    users: Users
    sessions: Sessions
    tls: bool
    names: frozenset[str] = frozenset()
    proxy: TrustedProxy | None = None
    signs_in: bool = field(default=True)

    @property
    def cookie(self) -> str:
        """``__Host-``: browsers take it over TLS from this very host only."""
        return "__Host-fanfold" if self.tls else "fanfold"

    def hosts(self, scope: Scope) -> Collection[str]:
        """The address that the connection came to is always right: rebinding needs a name."""
        server = scope.get("server")
        return self.names | ({_plain(server[0])} if server else set())

    def identify(self, scope: Scope, headers: Headers) -> Identity:
        """Raises KeptFileError: nobody can be recognised."""
        address = peer(scope)
        proxy = self.proxy
        if proxy is not None and address in proxy.addresses and proxy.header in headers:
            return self._of_proxy(proxy, headers, address)
        if proxy is not None and address in proxy.addresses:
            address = _forwarded(headers) or address
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return _identity(self.sessions.who(token.strip()), "bearer", address)
        held = self.held(headers)
        return _identity(self.sessions.who(held) if held else None, "session", address)

    def held(self, headers: Headers) -> str:
        """What the browser holds, or nothing."""
        return cookie_parser(headers.get("cookie", "")).get(self.cookie, "")

    def ask_who(self, scope: Scope) -> Response:
        if scope["method"] == "GET" and scope["path"] in PAGES:
            asked = scope["path"] + ("?" + scope["query_string"].decode("latin-1")
                if scope["query_string"] else "")  # fmt: skip
            return RedirectResponse(f"/login?next={quote(asked, safe='/')}", status_code=303)
        return problem(401, "Sign in first: this needs a user of this core.")

    def _of_proxy(self, proxy: TrustedProxy, headers: Headers, address: str) -> Identity:
        """Two names are none: one of them came from the browser."""
        names = headers.getlist(proxy.header)
        user = self.users.get(names[0].strip()) if len(names) == 1 else None
        return _identity(user, "proxy", _forwarded(headers) or address)


def problem(status: int, text: str, **headers: str) -> JSONResponse:
    """How every refusal looks."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"ok": False, "message": text}, status_code=status, headers=named)


def unreadable(error: KeptFileError) -> Response:
    """Nobody gets in by a file that cannot be read."""
    return problem(503, f"Users cannot be read: {error}")


def _identity(user: User | None, by: By, address: str) -> Identity:
    if user is None:
        return Identity(name="", role=None, by="nobody", address=address)
    return Identity(name=user.name, role=user.role, by=by, address=address)


def peer(scope: Scope) -> str:
    """The address at the other end of the connection."""
    client = scope.get("client")
    return _plain(client[0]) if client else ""


def _forwarded(headers: Headers) -> str:
    """The last address of ``X-Forwarded-For``: the one that the proxy itself saw."""
    last = ",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    try:
        ipaddress.ip_address(last)
    except ValueError:
        return ""
    return _plain(last)


def _plain(address: str) -> str:
    """``::ffff:10.0.0.1`` → ``10.0.0.1``; no zone."""
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address.lower()
    mapped = number.ipv4_mapped if number.version == 6 else None
    return str(mapped or number)
