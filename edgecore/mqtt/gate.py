"""What a connection needs of the endpoint behind it."""

from __future__ import annotations

from typing import Protocol, TypeVar

from edgecore.core.group import Thing
from edgecore.mqtt.packets import Connect, ConnectCode, Oversize

Asking_contra = TypeVar("Asking_contra", contravariant=True)  # edgecore.mqtt.connection.Connection


class Gate(Protocol[Asking_contra]):
    """Of `edgecore.mqtt.server`; tests may stand in."""

    def admit(self, connection: Asking_contra, packet: Connect) -> tuple[ConnectCode, Thing | None]:
        """Decide on a CONNECT; when accepted the connection is registered."""

    async def publish(self, thing: Thing, topic: str, payload: bytes) -> bool: ...

    def refuse_oversize(self, thing: Thing, packet: Oversize) -> None:
        """Count it, say it once, and answer on the topic's ``/rejected``."""

    def count(self, what: str) -> None: ...
