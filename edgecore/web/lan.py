"""The page on the local network: its own port, TLS, users (docs/guides/lan.md)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import ssl
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from edgecore.core.options import CoreError, Web
from edgecore.mqtt import ca
from edgecore.mqtt.renewal import keep_renewed
from edgecore.people.sessions import Sessions
from edgecore.people.users import Users
from edgecore.web.access.authenticators import UserAuthenticator
from edgecore.web.access.guard import Guard, OnAct
from edgecore.web.access.listening import PAGE, Listening, listening_of
from edgecore.web.listener import HttpServer

log = logging.getLogger(__name__)


class Lan:
    """``bind`` before anything runs, ``start``, ``stop``."""

    def __init__(self, listening: Listening, web: Web, state: Path) -> None:
        self._listening = listening
        self._web = web
        self._state = state
        self._renewing: asyncio.Task[None] | None = None
        self._context = _context(listening)
        self._server = HttpServer(listening.host, listening.port, self._context)

    def bind(self) -> None:
        """Raises CoreError."""
        try:
            self._server.bind()
        except OSError as error:
            raise CoreError(
                f"--listen {self._web.listen}: {error.strerror or error}; give an address of this "
                "machine (0.0.0.0: all of them) and a port that is free (0 picks one)"
            ) from error

    def start(self, app: ASGIApp, users: Users, sessions: Sessions, on_act: OnAct) -> None:
        listening = self._listening
        authenticator = UserAuthenticator(
            users=users, sessions=sessions, tls=listening.tls is not None,
            names=listening.names, proxy=listening.proxy,
        )  # fmt: skip
        self._server.start(Guard(app, authenticator, on_act))
        tls = listening.tls
        if tls is not None and tls.own and self._context is not None:
            names = [*ca.local_names(), *self._web.names]
            renew = functools.partial(ca.ensure, names=names, stem=PAGE)
            self._renewing = asyncio.ensure_future(
                keep_renewed(self._state / "ca", self._context, renew=renew, stem=PAGE)
            )
        shown = f", certificate SHA-256 {tls.fingerprint}" if tls is not None else ", no TLS"
        log.info("dashboard for users: %s%s", listening.url(self._server.port), shown)

    def facts(self) -> dict[str, Any]:
        """For ``core.json``."""
        tls = self._listening.tls
        return {
            "url": self._listening.url(self._server.port),
            "port": self._server.port,
            "fingerprint": tls.fingerprint if tls else None,
        }

    async def stop(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewing
        await self._server.stop()


def lan_of(web: Web, state: Path) -> Lan | None:
    """None: loopback only. Raises CoreError."""
    listening = listening_of(web, state)
    return Lan(listening, web, state) if listening is not None else None


def _context(listening: Listening) -> ssl.SSLContext | None:
    if listening.tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(listening.tls.certificate, listening.tls.key)
    return context
