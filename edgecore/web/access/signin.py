"""``/api/login``, ``/api/logout``, ``/api/me``: one's own way in and out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgecore.people.kept_file import KeptFileError
from edgecore.people.passwords import PasswordError
from edgecore.people.sessions import BROWSER_DAYS, DAY_S, Sessions
from edgecore.people.throttle import Throttle
from edgecore.people.users import AccountError, User, Users
from edgecore.web.access.authenticators import UserAuthenticator, problem, unreadable
from edgecore.web.access.bodies import BadRequestError, json_of, text_of
from edgecore.web.access.guard import note_detail
from edgecore.web.access.identity import Identity
from edgecore.web.access.rights import acts_of

BODY_BYTES = 8192
MAX_WAITING = 8
"""Log-ins that wait for their turn; one is looked at at a time: each takes 19 MiB."""
WRONG = "Name or password is wrong."

Handler = Callable[[Request], Awaitable[Response]]


def answering(handler: Handler) -> Handler:
    """Mistakes become a message."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except (BadRequestError, PasswordError) as error:
            return problem(400, str(error))
        except AccountError as error:
            return problem(409, str(error))
        except KeptFileError as error:
            return unreadable(error)

    return answered


class _TooOftenError(Exception):
    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s


class SignIn:
    """Routes for whoever is, or wants to be, signed in."""

    def __init__(self, users: Users, sessions: Sessions) -> None:
        self._users = users
        self._sessions = sessions
        self._throttle = Throttle()
        self._turn = asyncio.Semaphore(1)
        self._trying: set[str] = set()

    def routes(self) -> list[Route]:
        return [
            Route("/api/login", answering(self._login), methods=["POST"]),
            Route("/api/logout", answering(self._logout), methods=["POST"]),
            Route("/api/me", self._me),
            Route("/api/me/password", answering(self._password), methods=["POST"]),
        ]

    async def _me(self, request: Request) -> Response:
        identity: Identity = request.scope["fanfold.identity"]
        assert identity.role is not None  # noqa: S101 - the table of rights asks for one
        return JSONResponse(
            {
                "v": 1,
                "name": identity.name,
                "role": identity.role.word,
                "by": identity.by,
                "signs_in": request.scope["fanfold.authenticator"].signs_in,
                "acts": acts_of(identity.role),
            }
        )

    async def _login(self, request: Request) -> Response:
        """Always a new session: one that a browser came with is ended, never adopted."""
        authenticator = request.scope["fanfold.authenticator"]
        if not isinstance(authenticator, UserAuthenticator):
            return problem(404, "Nobody signs in on loopback: actions take the core's token.")
        body = await json_of(request, BODY_BYTES)
        name, password = text_of(body, "name"), text_of(body, "password")
        address = request.scope["fanfold.identity"].address
        try:
            user = await self._checked(name, password, address)
        except _TooOftenError as error:
            return _too_often(error)
        if user is None:
            if self._users.get(name) is None:  # some type their password there
                note_detail(request.scope, {"name": "(no such user)"})
            return problem(401, WRONG)
        token = await asyncio.to_thread(
            self._sessions.open, user, kind="browser", days=BROWSER_DAYS, address=address
        )
        if held := authenticator.held(request.headers):
            await asyncio.to_thread(self._sessions.close, held)
        request.scope["fanfold.identity"] = Identity(
            name=user.name, role=user.role, by="session", address=address
        )
        answer = JSONResponse({"ok": True, "message": f"Signed in as {user.name}."})
        _set_cookie(answer, authenticator, token, int(BROWSER_DAYS * DAY_S))
        return answer

    async def _logout(self, request: Request) -> Response:
        authenticator = request.scope["fanfold.authenticator"]
        answer = JSONResponse({"ok": True, "message": "Signed out."})
        if isinstance(authenticator, UserAuthenticator):
            if held := authenticator.held(request.headers):
                await asyncio.to_thread(self._sessions.close, held)
            _set_cookie(answer, authenticator, "", 0)
        return answer

    async def _password(self, request: Request) -> Response:
        """One's own; the old one is asked for, as a page left open is not its owner."""
        identity: Identity = request.scope["fanfold.identity"]
        body = await json_of(request, BODY_BYTES)
        old, new = text_of(body, "old"), text_of(body, "new")
        try:
            user = await self._checked(identity.name, old, identity.address)
        except _TooOftenError as error:
            return _too_often(error)
        if user is None:
            return problem(401, "The old password is wrong.")
        await asyncio.to_thread(self._users.set_password, user.name, new)
        return JSONResponse({"ok": True, "message": "Password changed: sign in again, everywhere."})

    async def _checked(self, name: str, password: str, address: str) -> User | None:
        """One attempt at a time from an address, and of all. Raises _TooOftenError."""
        wait_s = self._throttle.wait_s(address, time.monotonic())
        if wait_s > 0 or address in self._trying or len(self._trying) >= MAX_WAITING:
            raise _TooOftenError(max(1.0, wait_s))
        self._trying.add(address)
        try:
            async with self._turn:
                user = await asyncio.to_thread(self._users.check, name, password)
        finally:
            self._trying.discard(address)
        if user is None:
            self._throttle.failed(address, time.monotonic())
        return user


def _too_often(error: _TooOftenError) -> Response:
    wait_s = int(error.wait_s + 0.999)
    return problem(
        429, f"Too many attempts from this address: try again in {wait_s} s.",
        retry_after=str(wait_s),
    )  # fmt: skip


def _set_cookie(
    answer: Response, authenticator: UserAuthenticator, value: str, max_age_s: int
) -> None:
    answer.set_cookie(
        authenticator.cookie,
        value,
        max_age=max_age_s,
        path="/",
        secure=authenticator.tls,
        httponly=True,
        samesite="strict",
    )
