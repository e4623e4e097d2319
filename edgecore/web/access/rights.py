"""Route × role, as one table. What is not in it is never served."""

from __future__ import annotations

import re
from typing import Final

from starlette.routing import compile_path

from edgecore.people.roles import Role

ANYBODY: Final = None
"""Without signing in: the way in itself, and whether the process lives."""

RIGHTS: dict[str, Role | None] = {
    "GET /live": ANYBODY,
    "GET /login": ANYBODY,
    "GET /static/{path:path}": ANYBODY,
    "POST /api/login": ANYBODY,
    "GET /": Role.VIEWER,
    "GET /history": Role.VIEWER,
    "GET /regions": Role.VIEWER,
    "GET /people": Role.VIEWER,
    "GET /ready": Role.VIEWER,
    "GET /metrics": Role.VIEWER,
    "GET /api/status": Role.VIEWER,
    "GET /api/events": Role.VIEWER,
    "GET /api/stream": Role.VIEWER,
    "GET /api/history": Role.VIEWER,
    "GET /api/history/records": Role.VIEWER,
    "GET /api/history/records.csv": Role.VIEWER,
    "GET /api/history/records.jsonl": Role.VIEWER,
    "GET /api/history/counts": Role.VIEWER,
    "GET /api/history/counts.csv": Role.VIEWER,
    "GET /api/history/labels": Role.VIEWER,
    "GET /api/history/events": Role.VIEWER,
    "GET /api/history/picture/{image:int}": Role.VIEWER,
    "GET /api/history/sample/{image:int}": Role.VIEWER,
    "GET /api/image/{stream}/{seq:int}": Role.VIEWER,
    "GET /api/regions": Role.VIEWER,
    "GET /api/traces": Role.VIEWER,
    "GET /api/trace/{stream}/{seq:int}": Role.VIEWER,
    "GET /api/logs": Role.VIEWER,
    "GET /api/logs/{name}": Role.VIEWER,
    "GET /api/me": Role.VIEWER,
    "POST /api/logout": Role.VIEWER,
    "POST /api/me/password": Role.VIEWER,
    "POST /api/actions/restart": Role.OPERATOR,
    "POST /api/actions/drain": Role.OPERATOR,
    "POST /api/actions/publish": Role.OPERATOR,
    "POST /api/actions/test-image": Role.OPERATOR,
    "POST /api/actions/follow": Role.OPERATOR,
    "POST /api/actions/propose-regions": Role.OPERATOR,
    "POST /api/actions/acknowledge": Role.OPERATOR,
    "POST /api/actions/test-alerts": Role.OPERATOR,
    "GET /api/users": Role.ADMIN,
    "POST /api/users": Role.ADMIN,
    "POST /api/users/{name}": Role.ADMIN,
    "POST /api/users/{name}/sign-out": Role.ADMIN,
    "POST /api/users/{name}/remove": Role.ADMIN,
    "GET /api/audit": Role.ADMIN,
}


class NoSuchRouteError(LookupError):
    """The table has nothing for it; ``allowed``: methods that it has for the same path."""

    def __init__(self, asked: str, allowed: list[str]) -> None:
        super().__init__(asked)
        self.allowed = allowed


def needed(method: str, path: str) -> tuple[str, Role | None]:
    """The route of a request and who may ask it; HEAD is GET. Raises NoSuchRouteError."""
    asked = "GET" if method == "HEAD" else method
    allowed = []
    for of, pattern, route in _COMPILED:
        if pattern.match(path):
            if of == asked:
                return route, RIGHTS[route]
            allowed.append(of)
    raise NoSuchRouteError(f"{method} {path}", allowed)


def acts_of(role: Role) -> list[str]:
    """Names below ``/api/actions`` that this role may ask for."""
    head = "POST /api/actions/"
    return sorted(
        route.removeprefix(head)
        for route, least in RIGHTS.items()
        if route.startswith(head) and least is not None and role >= least
    )


def _compile() -> list[tuple[str, re.Pattern[str], str]]:
    split = [(*route.split(" ", 1), route) for route in RIGHTS]
    return [(method, compile_path(path)[0], route) for method, path, route in split]


_COMPILED = _compile()
