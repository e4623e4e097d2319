"""``/api/history/…``: what the core remembers (docs/spec/history.md)."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edgecore.history.export import csv_counts, csv_head, csv_lines, json_lines
from edgecore.history.query import MAX_NUMBER, Query, QueryError, moment, parse, whole
from edgecore.history.reader import EXPORT_LIMIT_S, LIMIT_S, NoHistoryError, Reader, TooSlowError
from edgecore.history.settings import Settings
from edgecore.history.shifts import BYS

MOST_AT_ONCE = 2
"""Searches that run at the same time; further ones wait for their turn."""
DEFAULT_COUNTS = "24h"
MAX_COUNTS_S = 400 * 86_400
_END = object()

Handler = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")


class Remembered(Protocol):
    """The recorder, as the pages see it."""

    path: Path
    settings: Settings


def history_routes(remembered: Remembered | None) -> list[Route]:
    """None: this core keeps no history, and every page says so."""
    pages = _Pages(remembered)
    handlers: dict[str, Handler] = {
        "records": pages.records,
        "records.csv": pages.records_csv,
        "records.jsonl": pages.records_jsonl,
        "counts": pages.counts,
        "counts.csv": pages.counts_csv,
        "labels": pages.labels,
        "events": pages.events,
        "picture/{image:int}": pages.picture,
        "sample/{image:int}": pages.sample,
    }
    return [Route(f"/api/history/{name}", _answering(h)) for name, h in handlers.items()]


def _answering(handler: Handler) -> Handler:
    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except QueryError as error:
            return _problem(400, str(error))
        except NoHistoryError as error:
            return _problem(404, str(error))
        except TooSlowError as error:
            return _problem(503, str(error))
        except sqlite3.Error as error:
            return _problem(503, f"the history cannot be read: {error}; try again in a moment")

    return answered


class _Pages:
    def __init__(self, remembered: Remembered | None) -> None:
        self._remembered = remembered
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def records(self, request: Request) -> Response:
        page = await self._ask(self._reader().search, self._query(request))
        return JSONResponse({"v": 1, "records": page.records, "next": page.next,
            "searched_to": page.searched_to})  # fmt: skip

    async def records_csv(self, request: Request) -> Response:
        zone = self._settings.zone
        pages = self._pages(request, lambda records: csv_lines(records, zone), csv_head())
        return await _download(pages, "text/csv; charset=utf-8", "records.csv")

    async def records_jsonl(self, request: Request) -> Response:
        return await _download(
            self._pages(request, json_lines), "application/jsonl", "records.jsonl"
        )

    async def counts(self, request: Request) -> Response:
        return JSONResponse({"v": 1, "defects": sorted(self._settings.defects),
            "counts": await self._counts(request)})  # fmt: skip

    async def counts_csv(self, request: Request) -> Response:
        text = csv_counts(await self._counts(request))
        headers = {"content-disposition": 'attachment; filename="counts.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    async def labels(self, request: Request) -> Response:
        since, until = self._period(request)
        camera = request.query_params.get("camera", "")
        found = await self._ask(self._reader().labels, since, until, camera)
        return JSONResponse({"v": 1, "labels": found})

    async def events(self, request: Request) -> Response:
        given = request.query_params
        kind, before = given.get("kind", ""), given.get("before", "")
        if before and whole(before) is None:
            raise QueryError(f"before {before!r:.40}: pass the id of the last event of a page")
        found = await self._ask(self._reader().events, 200, kind, whole(before))
        return JSONResponse({"v": 1, "events": found})

    async def picture(self, request: Request) -> Response:
        image = min(request.path_params["image"], MAX_NUMBER)
        found = await self._ask(self._reader().picture, image)
        if found is None:
            return _problem(404, f"no picture was kept of image {image}")
        headers = {"cache-control": "private, max-age=3600, immutable"}
        return Response(found[1], media_type=found[0], headers=headers)

    async def sample(self, request: Request) -> Response:
        image = min(request.path_params["image"], MAX_NUMBER)
        kept = await self._ask(self._reader().sample, image)
        if kept is None:
            return _problem(404, f"image {image} was not kept as a sample, or is no longer")
        shown = "inline" if kept.media_type.startswith("image/") else "attachment"
        headers = {
            "cache-control": "private, max-age=3600, immutable",
            "content-disposition": shown,
        }
        return Response(kept.content, media_type=kept.media_type, headers=headers)

    @property
    def _settings(self) -> Settings:
        return self._remembered.settings if self._remembered is not None else Settings()

    def _reader(self, limit_s: float = LIMIT_S) -> Reader:
        if self._remembered is None:
            raise NoHistoryError("this core keeps no history (it was started with --no-history)")
        return Reader(self._remembered.path, limit_s)

    def _query(self, request: Request) -> Query:
        return parse(dict(request.query_params), time.time(), self._settings.zone)

    async def _counts(self, request: Request) -> list[dict[str, Any]]:
        by = request.query_params.get("by", "camera")
        if by not in BYS:
            raise QueryError(f"by {by!r:.40}: pass one of {', '.join(BYS)}")
        since, until = self._period(request)
        camera = request.query_params.get("camera", "")
        return await self._ask(self._reader().counts, by, since, until, self._settings, camera)

    def _period(self, request: Request) -> tuple[float, float]:
        now, zone, given = time.time(), self._settings.zone, request.query_params
        since = moment(given.get("since") or DEFAULT_COUNTS, now, zone, "since")
        until = moment(given.get("until") or None, now, zone, "until")
        first, last = since or 0.0, now if until is None else until
        if not first < last or last - first > MAX_COUNTS_S:
            raise QueryError("since, until: pass a time of up to 400 days, its beginning first")
        return first, last

    async def _ask(self, answer: Callable[..., T], *given: Any) -> T:
        async with self._turns:
            return await asyncio.to_thread(answer, *given)

    async def _pages(
        self, request: Request, show: Callable[[list[dict[str, Any]]], str], head: str = ""
    ) -> AsyncIterator[bytes]:
        """The first page is looked up before the answer begins, so that a problem is one."""
        pages: Iterator[Any] = self._reader(limit_s=EXPORT_LIMIT_S).pages(self._query(request))
        yield head.encode()
        while True:
            page = await self._ask(next, pages, _END)
            if page is _END:
                return
            yield show(page).encode()


async def _download(pages: AsyncIterator[bytes], media_type: str, name: str) -> Response:
    first = [await anext(pages), await anext(pages, b"")]

    async def body() -> AsyncIterator[bytes]:
        for chunk in first:
            yield chunk
        async for chunk in pages:
            yield chunk

    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(body(), media_type=media_type, headers=headers)


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"ok": False, "message": text}, status_code=status)
