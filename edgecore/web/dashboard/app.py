"""The page as a Starlette application that the core mounts, and the tasks that feed it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from edgecore.history.past import read_past
from edgecore.history.reader import Reader
from edgecore.history.recorder import Recorder
from edgecore.web.dashboard.actions import ActionRoutes
from edgecore.web.dashboard.feed import INTERVAL_S, MAX_BROWSERS, Feed, TooManyBrowsersError
from edgecore.web.dashboard.history import COLUMNS
from edgecore.web.dashboard.logroutes import log_routes
from edgecore.web.dashboard.page_model import PageModel, Results
from edgecore.web.dashboard.ports import Actions, MessageHub, SiteView, StatusProvider
from edgecore.web.dashboard.thumbnails import (
    LARGE_SIDE_PX,
    MAX_SIDE_PX,
    Image,
    NoThumbnailError,
    Thumbnails,
)
from edgecore.web.records.failures import FailurePictures
from edgecore.web.records.routes import history_routes

STATIC = Path(__file__).parent / "static"
LISTEN_CAPACITY = 4096
LINGER_S = 0.05
"""The page is drawn twice a second: it need not be woken for every message."""
TURN_S = 0.0003
"""After so long the page lets the loop do something else: an image that comes meanwhile waits for
it. A turn of the loop for each message costs more than most messages do."""
SLOWEST = 20


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The core's side of the page."""

    status: StatusProvider
    hub: MessageHub
    actions: Actions
    log_dir: Path | None = None
    recorder: Recorder | None = None


class Dashboard:
    """``app`` is mounted at ``/`` behind ``access.guard.Guard``; ``run`` for as long as it is."""

    def __init__(
        self,
        ports: Ports,
        view: SiteView,
        *,
        read_only: bool = False,
        on_results: Results | None = None,
    ) -> None:
        recorder = ports.recorder
        self.page_model = PageModel(view, on_results, recorder.point if recorder else None)
        self._ports = ports
        self._thumbnails = Thumbnails(view.images_dir)
        self._actions = ActionRoutes(
            actions=ports.actions,
            hub=ports.hub,
            view=lambda: self.page_model.view,
            read_only=read_only,
        )
        self._read_only = read_only
        self._shown = asyncio.Event()
        self.feed = Feed(self.page_model, ports.status, self._hello)
        self.app = Starlette(routes=self._routes())

    def show(self, view: SiteView) -> None:
        """Another group runs: the open pages are updated, and its topics are listened to."""
        if view != self.page_model.view:
            self.page_model.view = view
            self._thumbnails = Thumbnails(view.images_dir)
            self._shown.set()
            self.feed.greet()

    async def run(self) -> None:
        """Listen and tick until cancelled."""
        parts = [self._listen(), self._warm()]
        if self._ports.recorder is not None:
            await self._restore(self._ports.recorder)
            parts.append(self._keep_failures(self._ports.recorder))
        await asyncio.gather(*parts, self.feed.run())

    async def _restore(self, recorder: Recorder) -> None:
        """Charts and counters of the core before this one."""
        past = await asyncio.to_thread(read_past, Reader(recorder.path), time.time())
        for every_s, points in past.points.items():
            self.page_model.history.restore(every_s, points)
        self.page_model.streams.restore(past.totals)

    async def _keep_failures(self, recorder: Recorder) -> None:
        failures = FailurePictures(
            lambda: self._thumbnails, self.page_model.inline.get, recorder.picture
        )
        recorder.on_failed = failures.offer
        await failures.run()

    async def _listen(self) -> None:
        """To the topics of the group that runs; again when another one does."""
        while True:
            self._shown.clear()
            heard = asyncio.ensure_future(self._observe(self.page_model.view.filters))
            shown = asyncio.ensure_future(self._shown.wait())
            try:
                done, _ = await asyncio.wait([heard, shown], return_when=asyncio.FIRST_COMPLETED)
                if heard in done:
                    heard.result()
            finally:
                for task in (heard, shown):
                    task.cancel()
                await asyncio.gather(heard, shown, return_exceptions=True)

    async def _observe(self, filters: Sequence[str]) -> None:
        turn = time.monotonic()
        async for message in self._ports.hub.listen(filters, LISTEN_CAPACITY, LINGER_S):
            self.page_model.observe(message)
            if time.monotonic() - turn >= TURN_S:  # images go first
                await asyncio.sleep(0)
                turn = time.monotonic()

    async def _warm(self) -> None:
        """Make the pictures while their files are there, if somebody looks."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            for entry in self.page_model.gallery.latest() if self.feed.watched else ():
                with contextlib.suppress(NoThumbnailError):
                    await self._thumbnails.get(self._source(entry))

    def _source(self, entry: Mapping[str, Any]) -> Image:
        content = self.page_model.inline.get(entry["id"])
        return Image(entry["stream"], entry["seq"], entry["file"], content)

    def _hello(self) -> Mapping[str, Any]:
        view = self.page_model.view
        return {
            "site": view.site,
            "cameras": view.cameras,
            "read_only": self._read_only,
            "actions": self._actions.offered,
            "columns": ["t", *COLUMNS],
            "regions": {camera: each.as_json() for camera, each in view.regions.items()},
        }

    def _routes(self) -> list[Route | Mount]:
        return [
            Route("/", _page("index.html")),
            Route("/history", _page("history/index.html")),
            Route("/regions", _page("regions/index.html")),
            Route("/people", _page("people/index.html")),
            Route("/login", _page("people/login.html")),
            Route("/api/stream", self._stream),
            *history_routes(self._ports.recorder),
            Route("/api/history", self._history),
            Route("/api/image/{stream}/{seq:int}", self._image),
            Route("/api/regions", self._regions),
            Route("/api/traces", self._traces),
            Route("/api/trace/{stream}/{seq:int}", self._trace),
            *log_routes(self._ports.log_dir),
            Mount("/api/actions", routes=self._actions.routes()),
            Mount("/static", _RevalidatedFiles(directory=STATIC)),
        ]

    async def _stream(self, _request: Request) -> Response:
        events = self.feed.stream()
        try:
            first = await anext(events)
        except TooManyBrowsersError as error:
            return _problem(503, f"{error}: close one (limit {MAX_BROWSERS})")

        async def body() -> Any:
            yield first
            async for event in events:
                yield event

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(body(), media_type="text/event-stream", headers=headers)

    async def _history(self, request: Request) -> Response:
        history = self.page_model.history
        coarse = request.query_params.get("span") == "6h"
        points = history.coarse() if coarse else history.fine()
        return JSONResponse({"columns": ["t", *COLUMNS], "points": points})

    async def _image(self, request: Request) -> Response:
        stream, seq = request.path_params["stream"], request.path_params["seq"]
        entry = self.page_model.gallery.get(stream, seq)
        if entry is None:
            return _problem(404, f"image {stream} #{seq} is no longer among the latest")
        side = LARGE_SIDE_PX if "large" in request.query_params else MAX_SIDE_PX
        try:
            picture = await self._thumbnails.get(self._source(entry), side)
        except NoThumbnailError as error:
            return _problem(404, f"image {stream} #{seq}: {error}")
        headers = {"cache-control": "private, max-age=3600, immutable"}
        return Response(picture.content, media_type=picture.media_type, headers=headers)

    async def _regions(self, _request: Request) -> Response:
        """What is deployed, and by which picture of each camera to draw something else."""
        view, newest = self.page_model.view, self.page_model.gallery.newest()
        cameras = [
            {"name": name, "seq": newest.get(name), **each.as_json()}
            for name, each in view.regions_of_all.items()
        ]
        return JSONResponse({"site": view.site, "read_only": self._read_only, "cameras": cameras})

    async def _traces(self, request: Request) -> Response:
        """``?id=`` finds one image by its id; without it the slowest of the last ones."""
        image_id = request.query_params.get("id")
        if image_id is None:
            slowest = self.page_model.traces.slowest(SLOWEST)
            return JSONResponse({"traces": [t.as_json() for t in slowest]})
        trace = self.page_model.traces.find(image_id)
        if trace is None:
            return _problem(404, f"no image with id {image_id!r} among the latest")
        return JSONResponse({"traces": [trace.as_json()]})

    async def _trace(self, request: Request) -> Response:
        stream, seq = request.path_params["stream"], request.path_params["seq"]
        trace = self.page_model.traces.get(stream, seq)
        if trace is None:
            return _problem(404, f"image {stream} #{seq} is no longer among the latest")
        return JSONResponse(trace.as_json())


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_request: Request) -> Response:
        return FileResponse(STATIC / name, headers={"cache-control": "no-cache"})

    return page


class _RevalidatedFiles(StaticFiles):
    """Browsers ask again (304): after an update of the core no old script meets a new API."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"ok": False, "message": text}, status_code=status)
