"""The core's web server: health, metrics, status and the dashboard; on loopback, and for users."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from contract.status import Status
from edgecore.core.group import Group
from edgecore.core.observers import Observers
from edgecore.core.options import CoreError, Options, Web
from edgecore.disk.state_files import kept_token
from edgecore.history.recorder import Recorder
from edgecore.web.dashboard.ports import Actions
from edgecore.web.listener import HttpServer

if TYPE_CHECKING:
    from edgecore.web.lan import Lan
    from edgecore.web.pages import Pages

log = logging.getLogger(__name__)


class WebServer:
    """``bind`` before anything runs, ``start`` with the first group, ``show`` every other one."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.token = ""
        self._server: HttpServer | None = None
        self._lan: Lan | None = None
        self._pages: Pages | None = None

    @property
    def port(self) -> int | None:
        return self._server.port if self._server is not None else None

    @property
    def lan(self) -> dict[str, Any] | None:
        """Where users come in: ``url``, ``port`` and ``fingerprint``; None: nowhere."""
        return self._lan.facts() if self._lan is not None else None

    def findings(self) -> list[str]:
        problem = self._pages.acts.problem if self._pages is not None else ""
        return [problem] if problem else []

    def bind(self) -> None:
        """Raises CoreError: a port is taken, or would be exposed unprotected."""
        state, port = self._options.state, self._options.http_port
        self.token = kept_token(state)
        self._lan = self._lan_of()
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

    def _lan_of(self) -> Lan | None:
        """None: loopback only. Raises CoreError."""
        if self._options.web == Web(read_only=self._options.web.read_only):
            return None
        from edgecore.web.lan import lan_of  # certificates: who listens pays

        return lan_of(self._options.web, self._options.state)

    def start(  # noqa: PLR0913 - what is shown, by name
        self,
        group: Group,
        *,
        status: Callable[[], Status],
        glance: Callable[[], Status],
        actions: Actions,
        observers: Observers,
        recorder: Recorder | None = None,
    ) -> None:
        """Serve. ``status`` is asked for each request, ``glance`` for the page's own looks."""
        if self._server is None:
            return
        # Half of the core's imports are the pages': the functions start meanwhile.
        from edgecore.web.pages import Pages

        pages = self._pages = Pages(
            self._options,
            group,
            self.token,
            status=status,
            glance=glance,
            actions=actions,
            observers=observers,
            recorder=recorder,
        )
        self._server.start(pages.on_loopback)
        log.info(
            "dashboard: http://127.0.0.1:%d/ (actions: add #token= and the token in core.json)",
            self._server.port,
        )
        if self._lan is not None:
            self._lan.start(pages.app, pages.users, pages.sessions, pages.acts.note)

    def show(self, group: Group) -> None:
        """Another group runs now: other cameras, workers, model, or another site altogether."""
        if self._pages is not None:
            self._pages.show(group)

    async def stop(self) -> None:
        if self._server is not None and self._pages is not None:
            await self._pages.stop()
            await self._server.stop()
            if self._lan is not None:
                await self._lan.stop()
