"""``/api/logs``: which logs there are, and one of them as it grows, as JSON Lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edgecore.disk.logs import Tail, last_lines, names

STEP_S = 0.5
MAX_LINES = 500
DEFAULT_LINES = 100
MAX_FOLLOWERS = 16


def log_routes(folder: Path | None) -> list[Route]:
    """None: this page has no logs to show."""
    followers: set[object] = set()

    async def index(_request: Request) -> Response:
        return JSONResponse({"logs": names(folder) if folder is not None else []})

    async def follow(request: Request) -> Response:
        name = request.path_params["name"]
        if folder is None or name not in names(folder):
            return _problem(404, f"no log named {name!r}: /api/logs lists the logs")
        if len(followers) >= MAX_FOLLOWERS:
            return _problem(503, f"{MAX_FOLLOWERS} logs are being followed already: close one")
        given = request.query_params.get("lines", str(DEFAULT_LINES))
        if not (given.isascii() and given.isdigit() and int(given) <= MAX_LINES):
            return _problem(400, f"lines is {given!r:.20}: pass 0 to {MAX_LINES}")
        path = folder / f"{name}.log"
        return StreamingResponse(
            _lines(path, int(given), followers),
            media_type="application/jsonl",
            headers={"cache-control": "no-store"},
        )

    return [Route("/api/logs", index), Route("/api/logs/{name}", follow)]


async def _lines(path: Path, count: int, followers: set[object]) -> AsyncIterator[bytes]:
    """``{"line": …}`` each; an empty line now and then shows a reader that is gone."""
    tail, me = Tail(path), object()
    followers.add(me)
    try:
        found = last_lines(path, count) if count else []
        while True:
            yield b"".join(json.dumps({"line": line}).encode() + b"\n" for line in found) or b"\n"
            await asyncio.sleep(STEP_S)
            found = tail.lines()
    finally:
        followers.discard(me)
        tail.close()


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"ok": False, "message": text}, status_code=status)
