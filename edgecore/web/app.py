"""Routes for machines (``/live``, ``/ready``, ``/metrics``, ``/api/*``); the page below."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from contract.status import Status
from edgecore.core.observers import Observers
from edgecore.core.verdict import verdict_of
from edgecore.web.metrics.registry import CONTENT_TYPE_LATEST, Metrics

EVENTS_CAPACITY = 1024
KEEPALIVE_S = 15.0
MAX_EVENT_TEXT = 4096

ReadStatus = Callable[[], Status]


def make_app(
    status: ReadStatus,
    metrics: Metrics,
    observers: Observers,
    page: ASGIApp | None,
    people: Sequence[Route] = (),
) -> Starlette:
    """Everything that is served; to be put behind a guard, which asks who may."""

    async def live(_request: Request) -> Response:
        return PlainTextResponse("live\n")  # it is the loop's answer that counts

    async def ready(_request: Request) -> Response:
        verdict = verdict_of(status())
        return JSONResponse(verdict, status_code=200 if verdict["ready"] else 503)

    async def show_metrics(_request: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    async def show_status(_request: Request) -> Response:
        return JSONResponse(status())

    async def events(request: Request) -> Response:
        filters = request.query_params.getlist("topic") or ["#"]
        try:
            stream = _events(observers, filters)
            first = await anext(stream)
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        return StreamingResponse(_chain(first, stream), media_type="text/event-stream")

    routes: list[Route | Mount] = [
        Route("/live", live),
        Route("/ready", ready),
        Route("/metrics", show_metrics),
        Route("/api/status", show_status),
        Route("/api/events", events),
        *people,
    ]
    if page is not None:
        routes.append(Mount("/", page))
    return Starlette(routes=routes)


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for event in rest:
        yield event


async def _events(observers: Observers, filters: list[str]) -> AsyncIterator[bytes]:
    """Messages as server-sent events; long payloads are cut, their size is told."""
    messages = observers.listen(filters, EVENTS_CAPACITY)
    waiting = asyncio.ensure_future(anext(messages))
    try:
        await asyncio.sleep(0)
        if waiting.done():
            waiting.result()  # raises ValueError for a malformed filter
        yield b": listening\n\n"
        while True:
            done, _ = await asyncio.wait([waiting], timeout=KEEPALIVE_S)
            if not done:
                yield b": still here\n\n"
                continue
            message = waiting.result()
            text = message.payload[:MAX_EVENT_TEXT].decode(errors="replace")
            facts = {
                "t": message.t,
                "topic": message.topic,
                "source": message.source,
                "bytes": len(message.payload),
                "payload": text,
            }
            yield f"data: {json.dumps(facts)}\n\n".encode()
            waiting = asyncio.ensure_future(anext(messages))
    finally:
        waiting.cancel()
