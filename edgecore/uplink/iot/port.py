"""All that is asked of an MQTT client. Nothing of durability, order or resending is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgecore.uplink.iot.identity import Identity
from edgecore.uplink.iot.problems import Problem


@dataclass(frozen=True)
class Closed:
    """How a connection ended. ``code``: of a DISCONNECT packet; None: it just ended."""

    by_peer: bool
    code: int | None
    words: str


class CannotConnect(Exception):  # noqa: N818 - a state of the world, tried again
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Session(Protocol):
    """One connection, connected; used until ``closed`` and then thrown away."""

    closed: asyncio.Future[Closed]
    receive_maximum: int
    """How many publishes the server lets be unanswered at a time."""

    def publish(self, topic: str, payload: bytes) -> asyncio.Future[int]:
        """QoS 1. The reason code of the PUBACK; cancelled when the connection ends."""

    async def subscribe(self, filters: Sequence[str]) -> list[int]:
        """QoS 1, at most 8 filters; one reason code each. Raises ``asyncio.TimeoutError``."""

    async def unsubscribe(self, filters: Sequence[str]) -> None: ...

    async def end(self, words: str) -> None:
        """Close from here; ``closed`` resolves. Never raises."""


OnMessage = Callable[[str, bytes], None]
Connect = Callable[[Identity, OnMessage], Awaitable[Session]]
"""Raises ``CannotConnect``. ``OnMessage`` is called in the event loop."""
