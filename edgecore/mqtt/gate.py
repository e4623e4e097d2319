"""What a connection needs of the endpoint behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edgecore.core.group import Thing
from edgecore.mqtt.packets import Connect, ConnectCode, Oversize

if TYPE_CHECKING:
    from edgecore.mqtt.connection import Connection


class Gate(Protocol):
    """Of `edgecore.mqtt.server`; tests may stand in."""

    def admit(self, connection: Connection, packet: Connect) -> tuple[ConnectCode, Thing | None]:
        """Decide on a CONNECT; when accepted the connection is registered."""

    async def publish(self, thing: Thing, topic: str, payload: bytes) -> bool: ...

    def refuse_oversize(self, thing: Thing, packet: Oversize) -> None:
        """Count it, say it once, and answer on the topic's ``/rejected``."""

    def count(self, what: str) -> None: ...
