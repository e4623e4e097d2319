"""The core's web server: health, metrics, status and the dashboard; on loopback, and for users."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from contract.status import Status
from edgecore.core.group import Group
from edgecore.core.observers import Observers
from edgecore.core.options import CoreError, Options
from edgecore.disk.state_files import kept_token
from edgecore.history.recorder import Recorder
from edgecore.people.audit import AuditLog
from edgecore.people.sessions import Sessions
from edgecore.people.users import Users
from edgecore.web.access.doors import Loopback
from edgecore.web.access.guard import Guard
from edgecore.web.access.people import PeopleRoutes
from edgecore.web.access.signin import SignIn
from edgecore.web.acts import Acts
from edgecore.web.app import make_app
from edgecore.web.dashboard.app import Dashboard, Ports
from edgecore.web.dashboard.ports import Actions, SiteView
from edgecore.web.lan import Lan, lan_of
from edgecore.web.listener import HttpServer
from edgecore.web.metrics.registry import Metrics

log = logging.getLogger(__name__)


class WebServer:
    """``bind`` before anything runs, ``start`` with the first group, ``show`` every other one."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.token = ""
        self._server: HttpServer | None = None
        self._lan: Lan | None = None
        self._acts: Acts | None = None
        self._page: Dashboard | None = None
        self._feeding: asyncio.Task[None] | None = None

    @property
    def port(self) -> int | None:
        return self._server.port if self._server is not None else None

    @property
    def lan(self) -> dict[str, Any] | None:
        """Where users come in: ``url``, ``port`` and ``fingerprint``; None: nowhere."""
        return self._lan.facts() if self._lan is not None else None

    def findings(self) -> list[str]:
        return [self._acts.problem] if self._acts is not None and self._acts.problem else []

    def bind(self) -> None:
        """Raises CoreError: a port is taken, or would be exposed unprotected."""
        state, port = self._options.state, self._options.http_port
        self.token = kept_token(state)
        self._lan = lan_of(self._options.web, state)
        if port is None:
            if self._lan is not None:
                raise CoreError("--listen needs --http-port, which is off", exit_code=2)
            return
        server = HttpServer("127.0.0.1", port)
        try:
            server.bind()
        except OSError as error:
            raise CoreError(
                f"--http-port {port}: {error.strerror}; "
                "stop the process that uses the port, or pass another one (0 picks a free port)"
            ) from error
        self._server = server
        if self._lan is not None:
            self._lan.bind()

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
        state, web, metrics = self._options.state, self._options.web, Metrics(status)
        users, audit = Users(state), AuditLog(state)
        sessions = Sessions(state, users)
        self._acts = Acts(audit, recorder.event if recorder is not None else None)
        ports = Ports(
            status=_Status(status),
            hub=cast(Any, observers),
            actions=actions,
            log_dir=state / "logs",
            recorder=recorder,
        )
        self._page = Dashboard(
            ports, SiteView.of_group(group), read_only=web.read_only, on_results=metrics.observe
        )
        self._feeding = asyncio.ensure_future(self._page.run())
        people = [
            *SignIn(users, sessions).routes(), *PeopleRoutes(users, sessions, audit).routes()
        ]  # fmt: skip
        app = make_app(status, metrics, observers, self._page.app, people)
        names = frozenset(name.lower() for name in web.names)
        door = Loopback(token=self.token, names=names)
        self._server.start(Guard(app, door, self._acts.note))
        log.info(
            "dashboard: http://127.0.0.1:%d/ (actions: add #token= and the token in core.json)",
            self._server.port,
        )
        if self._lan is not None:
            self._lan.start(app, users, sessions, self._acts.note)

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
            if self._lan is not None:
                await self._lan.stop()


class _Status:
    def __init__(self, status: Callable[[], Status]) -> None:
        self.status = status
