"""uvicorn's HTTP connection with two bounds it lacks: how many there are, how long one may idle.

A connection that has sent no whole request, or none since the last, is idle. It is closed
after a while, and at once, the oldest first, where another needs its place.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from edgecore.core.descriptors import cap

MAX_CONNECTIONS = 128
"""Pages, their event streams, whoever scrapes: together, on one port."""
IDLE_LOOK_S = 5.0
"""Idle at two looks in a row: closed. So a request's head may take five to ten seconds."""


class BoundedProtocol(H11Protocol):
    max_connections = MAX_CONNECTIONS
    idle_look_s = IDLE_LOOK_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._idle_before: object = None
        self._look = self.loop.call_later(self.idle_look_s, self._look_whether_idle)
        if len(self.connections) > cap(self.max_connections):
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._look.cancel()
        super().connection_lost(exc)

    @property
    def idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _look_whether_idle(self) -> None:
        """The same cycle, finished, at both looks: nothing has been asked meanwhile."""
        mark = (self.cycle,) if self.idle else None
        if mark is not None and mark == self._idle_before:
            self.transport.abort()
            return
        self._idle_before = mark
        self._look = self.loop.call_later(self.idle_look_s, self._look_whether_idle)

    def _make_room(self) -> None:
        idle = [c for c in self.connections if isinstance(c, BoundedProtocol) and c.idle]
        oldest = min((c for c in idle if c is not self), key=lambda c: c._since, default=self)
        self.connections.discard(oldest)  # now: it is gone, and not the next one's victim
        oldest.transport.abort()
