"""Everything that is served, put together: routes, who may do what, and the page's own tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from starlette.types import ASGIApp

from contract.status import Status
from edgecore.core.group import Group
from edgecore.core.observers import Observers
from edgecore.core.options import Options
from edgecore.history.recorder import Recorder
from edgecore.people.audit import AuditLog
from edgecore.people.sessions import Sessions
from edgecore.people.users import Users
from edgecore.web.access.authenticators import LoopbackAuthenticator
from edgecore.web.access.guard import Guard
from edgecore.web.access.people import PeopleRoutes
from edgecore.web.access.signin import SignIn
from edgecore.web.acts import Acts
from edgecore.web.app import make_app
from edgecore.web.dashboard.app import Dashboard, Ports
from edgecore.web.dashboard.ports import Actions, SiteView
from edgecore.web.metrics.registry import Metrics


class Pages:
    """``app`` is what users with roles get; ``on_loopback`` is the same for this machine."""

    def __init__(  # noqa: PLR0913 - what is shown, by name
        self,
        options: Options,
        group: Group,
        token: str,
        *,
        status: Callable[[], Status],
        glance: Callable[[], Status],
        actions: Actions,
        observers: Observers,
        recorder: Recorder | None,
    ) -> None:
        """``status`` is asked for each request, ``glance`` twice a second."""
        state, web, metrics = options.state, options.web, Metrics(status)
        self.users, audit = Users(state), AuditLog(state)
        self.sessions = Sessions(state, self.users)
        self.acts = Acts(audit, recorder.event if recorder is not None else None)
        ports = Ports(
            status=_Status(glance),
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
            *SignIn(self.users, self.sessions).routes(),
            *PeopleRoutes(self.users, self.sessions, audit).routes(),
        ]
        self.app: ASGIApp = make_app(status, metrics, observers, self._page.app, people)
        names = frozenset(name.lower() for name in web.names)
        self.on_loopback: ASGIApp = Guard(
            self.app, LoopbackAuthenticator(token=token, names=names), self.acts.note
        )

    def show(self, group: Group) -> None:
        """Another group runs now: other cameras, workers, model, or another site altogether."""
        self._page.show(SiteView.of_group(group))

    async def stop(self) -> None:
        """Ends the browsers' streams, else the server waits for them."""
        self._feeding.cancel()
        await asyncio.gather(self._feeding, return_exceptions=True)


class _Status:
    def __init__(self, status: Callable[[], Status]) -> None:
        self.status = status
