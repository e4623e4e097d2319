"""``/api/users`` and ``/api/audit``: what an admin does."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgecore.people.audit import AuditLog
from edgecore.people.roles import Role, role_of
from edgecore.people.sessions import Sessions, user_json
from edgecore.people.users import Users
from edgecore.web.access.bodies import BadRequestError, json_of, text_of
from edgecore.web.access.guard import note_detail
from edgecore.web.access.signin import BODY_BYTES, answering

SHOWN_ACTS = 200


class PeopleRoutes:
    """Every change ends the user's sessions: the right that counts is the one of now."""

    def __init__(self, users: Users, sessions: Sessions, audit: AuditLog) -> None:
        self._users = users
        self._sessions = sessions
        self._audit = audit

    def routes(self) -> list[Route]:
        one = "/api/users/{name}"
        return [
            Route("/api/users", answering(self._list)),
            Route("/api/users", answering(self._add), methods=["POST"]),
            Route(one, answering(self._change), methods=["POST"]),
            Route(f"{one}/sign-out", answering(self._sign_out), methods=["POST"]),
            Route(f"{one}/remove", answering(self._remove), methods=["POST"]),
            Route("/api/audit", answering(self._acts)),
        ]

    async def _list(self, _request: Request) -> Response:
        users = await asyncio.to_thread(self._users.all)
        return JSONResponse({"v": 1, "users": [user_json(u, self._sessions) for u in users]})

    async def _add(self, request: Request) -> Response:
        body = await json_of(request, BODY_BYTES)
        name, role = text_of(body, "name"), _role(body)
        password = text_of(body, "password") if body.get("password") is not None else None
        await asyncio.to_thread(self._users.add, name, role, password)
        return _done(f"Added {name} as {role.word}.")

    async def _change(self, request: Request) -> Response:
        """``role``, ``password`` or both."""
        name, body = request.path_params["name"], await json_of(request, BODY_BYTES)
        note_detail(request.scope, {**body, "name": name})
        done = []
        if "role" in body:
            role = _role(body)
            await asyncio.to_thread(self._users.set_role, name, role)
            done.append(f"is {role.word} now")
        if "password" in body:
            await asyncio.to_thread(self._users.set_password, name, text_of(body, "password"))
            done.append("has a new password")
        if not done:
            raise BadRequestError("neither 'role' nor 'password': nothing to change")
        return _done(f"{name} {' and '.join(done)}, and is signed out everywhere.")

    async def _sign_out(self, request: Request) -> Response:
        name = request.path_params["name"]
        note_detail(request.scope, {"name": name})
        await asyncio.to_thread(self._users.sign_out, name)
        return _done(f"{name} is signed out everywhere.")

    async def _remove(self, request: Request) -> Response:
        name = request.path_params["name"]
        note_detail(request.scope, {"name": name})
        await asyncio.to_thread(self._users.remove, name)
        return _done(f"Removed {name}.")

    async def _acts(self, _request: Request) -> Response:
        return JSONResponse(
            {"v": 1, "acts": await asyncio.to_thread(self._audit.newest, SHOWN_ACTS)}
        )


def _role(body: dict[str, Any]) -> Role:
    try:
        return role_of(text_of(body, "role"))
    except ValueError as error:
        raise BadRequestError(str(error)) from None


def _done(text: str) -> Response:
    return JSONResponse({"ok": True, "message": text})
