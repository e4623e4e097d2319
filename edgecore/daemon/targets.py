"""Targets of subscriptions that are not functions: devices, the cloud, shadows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecore.core.shadows import ShadowService
    from edgecore.mqtt.server import MqttServer
    from edgecore.uplink.spooler import Spooler


class DeviceTarget:
    """A thing, on whichever listener it is; offline it misses the message, as with V1."""

    costs = 0

    def __init__(self, thing_arn: str, servers: Sequence[MqttServer]) -> None:
        self._thing_arn = thing_arn
        self._servers = servers

    def offer(self, _source: str, topic: str, payload: bytes) -> bool:
        for server in self._servers:
            server.deliver(self._thing_arn, topic, payload)
        return True


class CloudTarget:
    """The spooler; its publisher is answered when the message is on disk."""

    costs = 0

    def __init__(self, spooler: Spooler) -> None:
        self._spooler = spooler

    def offer(self, _source: str, topic: str, payload: bytes) -> Awaitable[object]:
        # A task at once, not a coroutine for later: puts must start in publishing order.
        return asyncio.ensure_future(self._spooler.put(topic, payload))


class ShadowTarget:
    """Shadow requests of devices; answers go out as publications of the service."""

    costs = 0

    def __init__(self, shadows: ShadowService) -> None:
        self._shadows = shadows

    def offer(self, _source: str, topic: str, payload: bytes) -> bool:
        self._shadows.invoke(topic, payload)
        return True
