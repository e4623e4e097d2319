"""ASGI middleware around everything that is served: Host, Origin, who, which right, the audit."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgecore.people.audit import Act
from edgecore.people.kept_file import KeptFileError
from edgecore.people.roles import Role
from edgecore.web.access.authenticators import PAGES, Authenticator, peer, problem, unreadable
from edgecore.web.access.identity import AMBIENT, CURRENT, Identity
from edgecore.web.access.origin import SECURITY_HEADERS, follows_a_link, host_name, same_origin
from edgecore.web.access.rights import NoSuchRouteError, needed

SAFE = frozenset({"GET", "HEAD"})
LOOK_AGAIN_S = 1.0
"""A stream that goes on for days ends this long after its user's session."""
_MAX_MESSAGE = 4096
_MOST_SHOWN = 64

OnAct = Callable[[Act], Awaitable[None]]


class _SessionOverError(Exception):
    """In the middle of a stream."""


@dataclass
class _Asked:
    """One request, and what is known of it so far."""

    scope: Scope
    headers: Headers
    route: str
    identity: Identity
    least: Role | None = None
    status: int = 0
    noted: bool = False
    looked: float = field(default_factory=time.monotonic)

    @property
    def acts(self) -> bool:
        return self.scope["method"] not in SAFE


class Guard:
    """``authenticator`` says who it is; the table of rights says what that is enough for."""

    def __init__(
        self, app: ASGIApp, authenticator: Authenticator, on_act: OnAct | None = None
    ) -> None:
        """``on_act`` is awaited before the answer of an act is sent."""
        self._app = app
        self._authenticator = authenticator
        self._on_act = on_act

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        nobody = Identity(name="", role=None, by="nobody", address=peer(scope))
        asked = _Asked(scope, headers, f"{scope['method']} {scope['path']}"[:200], nobody)
        refusal = self._refusal(asked)
        scope["fanfold.authenticator"] = self._authenticator
        scope["fanfold.identity"] = asked.identity
        token = CURRENT.set(asked.identity)
        try:
            await self._answer(refusal, asked, receive, _with_security_headers(send))
        finally:
            CURRENT.reset(token)

    def _refusal(self, asked: _Asked) -> Response | None:
        """What is answered instead; fills in who asks for what."""
        scope, headers, hosts = asked.scope, asked.headers, self._authenticator.hosts(asked.scope)
        host = headers.get("host", "")
        if host_name(host) not in hosts:
            return problem(
                421,
                f"Host {host!r:.120} is not a name of this core. Use one of {sorted(hosts)}, or "
                "start the core with --http-name.",
            )
        linked = (
            self._authenticator.signs_in and scope["path"] in PAGES
            and follows_a_link(scope["method"], headers)
        )  # fmt: skip
        if not linked and not same_origin(headers, hosts):
            return problem(403, "Requests from pages of another origin are refused.")
        try:
            asked.identity = self._authenticator.identify(scope, headers)
        except KeptFileError as error:
            return unreadable(error) if self._right(asked) is not None else None
        return self._right(asked)

    def _right(self, asked: _Asked) -> Response | None:
        scope, identity = asked.scope, asked.identity
        try:
            asked.route, asked.least = needed(scope["method"], scope["path"])
        except NoSuchRouteError as error:
            if identity.role is None:
                return self._authenticator.ask_who(scope)
            if error.allowed:
                allow = ", ".join(error.allowed)
                return problem(405, f"{error}: use {allow}.", allow=allow)
            return problem(404, f"There is no {scope['method']} {scope['path']!r:.200} here.")
        if asked.least is not None and (identity.role is None or identity.role < asked.least):
            if not identity.name:
                return self._authenticator.ask_who(scope)
            return problem(
                403, f"{identity.name} is {identity.role.word if identity.role else 'nobody'}; "
                f"this takes {asked.least.word}.",
            )  # fmt: skip
        return self._forged(asked)

    def _forged(self, asked: _Asked) -> Response | None:
        """What a browser sends by itself proves nothing: for an act it must say from which page."""
        identity = asked.identity
        unknown = identity.role is None and self._authenticator.signs_in
        by_itself = identity.by in AMBIENT or unknown
        if asked.acts and by_itself and "origin" not in asked.headers:
            return problem(
                403,
                "Acts with a browser's session need its Origin; programs send a token "
                "(Authorization: Bearer …, fanfold user token).",
            )
        return None

    async def _answer(
        self, refusal: Response | None, asked: _Asked, receive: Receive, send: Send
    ) -> None:
        app = refusal if refusal is not None else self._app
        try:
            await app(asked.scope, receive, self._watched(asked, send))
        except _SessionOverError:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Exception:
            await self._note(asked, 500, "a fault in the core; its log says more")
            raise

    def _watched(self, asked: _Asked, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                asked.status = message["status"]
            elif not asked.noted:
                await self._note(asked, asked.status, _message_of(message.get("body", b"")))
            elif time.monotonic() - asked.looked >= LOOK_AGAIN_S:
                self._look_again(asked)
            await send(message)

        return watched

    def _look_again(self, asked: _Asked) -> None:
        """Raises _SessionOverError: signed out, removed, or with less of a role meanwhile."""
        asked.looked = time.monotonic()
        try:
            role = self._authenticator.identify(asked.scope, asked.headers).role
        except KeptFileError:
            role = None
        if asked.least is not None and (role is None or role < asked.least):
            raise _SessionOverError

    async def _note(self, asked: _Asked, status: int, said: str) -> None:
        """Acts, and what somebody who is signed in may not even read."""
        asked.noted = True
        if self._on_act is None or not (asked.acts or (status == 403 and asked.identity.name)):
            return
        identity: Identity = asked.scope.get("fanfold.identity") or asked.identity
        refused = status in {401, 403, 421, 429}
        await self._on_act(
            Act(
                who=identity.name,
                role=identity.role.word if identity.role else "",
                address=identity.address,
                what=asked.route,
                result="refused" if refused else "done" if status < 400 else "failed",
                status=status,
                said=said,
                detail=asked.scope.get("fanfold.detail", {}),
            )
        )


def note_detail(scope: Scope, body: dict[str, Any]) -> None:
    """What an act is about, for the audit: short facts, never a password or a whole payload."""
    shown = ("function", "on", "workers", "alert", "topic", "as", "filter", "camera", "name",
        "role", "bytes", "region", "masks", "proposal")  # fmt: skip
    found = {key: body[key] for key in shown if body.get(key) is not None}
    scope["fanfold.detail"] = {key: _short(value) for key, value in found.items()}


def _short(value: Any, depth: int = 3) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [_short(each, depth - 1) for each in value[:_MOST_SHOWN]] if depth else "…"
    return str(value)[:200] if isinstance(value, str) else "…"


def _message_of(body: bytes) -> str:
    if not body.startswith(b"{") or len(body) > _MAX_MESSAGE:
        return ""
    try:
        return str(json.loads(body).get("message", ""))
    except ValueError:
        return ""


def _with_security_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", []))
            names = {name.lower() for name, _ in given}
            raw = [(k.encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]
            if b"cache-control" not in names:
                raw.append((b"cache-control", b"no-store"))
            message["headers"] = [*given, *raw]
        await send(message)

    return wrapped
