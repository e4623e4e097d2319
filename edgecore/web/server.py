"""The core's web server: one HTTP port with health, metrics, status and the dashboard."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any, cast

from contract.status import Status
from edgecore.core.group import Group
from edgecore.core.observers import Observers
from edgecore.core.options import CoreError, Options
from edgecore.history.recorder import Recorder
from edgecore.web.app import make_app
from edgecore.web.dashboard.app import Dashboard, Ports
from edgecore.web.dashboard.ports import Actions, SiteView
from edgecore.web.exposure import exposure_of
from edgecore.web.listener import HttpServer
from edgecore.web.metrics.registry import Metrics

log = logging.getLogger(__name__)


class WebServer:
    """``bind`` before anything runs, ``start`` with the first group, ``show`` every other one."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.token = secrets.token_urlsafe(24)
        self._server: HttpServer | None = None
        self._page: Dashboard | None = None
        self._feeding: asyncio.Task[None] | None = None

    @property
    def port(self) -> int | None:
        return self._server.port if self._server is not None else None

    def bind(self) -> None:
        """Raises CoreError: the port is taken, or would be exposed unprotected."""
        if self._options.http_port is None:
            return
        self._exposure = exposure_of(self._options.web)
        server = HttpServer(self._options.http_port, self._options.web)
        try:
            server.bind()
        except OSError as error:
            raise CoreError(
                f"--http-port {self._options.http_port}: {error.strerror}; "
                "stop the process that uses the port, or pass another one (0 picks a free port)"
            ) from error
        self._server = server

    def start(
        self,
        group: Group,
        *,
        status: Callable[[], Status],
        actions: Actions,
        observers: Observers,
        recorder: Recorder | None = None,
    ) -> None:
        """Serve. ``status`` is asked again each time."""
        if self._server is None:
            return
        web, metrics = self._options.web, Metrics(status)
        ports = Ports(
            status=_Status(status),
            hub=cast(Any, observers),
            actions=actions,
            log_dir=self._options.state / "logs",
            recorder=recorder,
        )
        self._page = Dashboard(
            ports,
            SiteView.of_group(group),
            token=self.token,
            read_only=web.read_only,
            on_results=metrics.observe,
        )
        self._feeding = asyncio.ensure_future(self._page.run())
        self._server.start(make_app(status, metrics, observers, self._page.app, self._exposure))
        scheme = "https" if web.certificate else "http"
        log.info(
            "dashboard: %s://%s:%d/ (actions: add #token= and the token in core.json)",
            scheme,
            web.host,
            self._server.port,
        )

    def show(self, group: Group) -> None:
        """Another group runs now: other cameras, workers, model, or another site altogether."""
        if self._page is not None:
            self._page.show(SiteView.of_group(group))

    async def stop(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()  # ends the browsers' streams, else the server waits for them
            await asyncio.gather(self._feeding, return_exceptions=True)
        if self._server is not None and self._feeding is not None:
            await self._server.stop()


class _Status:
    def __init__(self, status: Callable[[], Status]) -> None:
        self.status = status
