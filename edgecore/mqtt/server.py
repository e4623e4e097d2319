"""The listener: admits members, knows who is connected, delivers to them."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from contract.limits import MESSAGE_BYTES
from contract.topics import rejected
from edgecore.core.descriptors import accepted_at_once, lengthen_queue
from edgecore.core.group import Thing
from edgecore.mqtt.admission import admit
from edgecore.mqtt.connection import Connection
from edgecore.mqtt.limits import ConnectionLimiter, Limits
from edgecore.mqtt.packets import Connect, ConnectCode, Oversize
from edgecore.mqtt.pending import PendingConnection
from edgecore.mqtt.refused import RefusedClients

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "::1", "localhost")
UNREAD_BYTES = MESSAGE_BYTES.value
"""asyncio stops reading at twice as much: a picture, which is read at once, is no reason to."""
OnPublish = Callable[[Thing, str, bytes], Awaitable[bool]]


class MqttServer:
    """An MQTT 3.1.1 endpoint for the things of one group (docs/spec/mqtt.md).

    ``members`` maps thing names to things. ``on_publish(thing, topic, payload)`` answers
    True when the message is taken (a QoS 1 publish is acknowledged only then) and False
    when there is no room now. ``tls=None`` is plain text and only for loopback.
    """

    def __init__(  # noqa: PLR0913  (keyword-only)
        self,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        members: Mapping[str, Thing],
        on_publish: OnPublish,
        limits: Limits | None = None,
    ) -> None:
        if tls is None and host not in LOOPBACK:
            raise ValueError(f"MQTT without TLS on {host!r}; plain text is for 127.0.0.1 only")
        self.host = host
        self.port = port
        self._tls = tls
        self._members = members
        self._on_publish = on_publish
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._unauthenticated: dict[asyncio.Task[None], str] = {}  # by host, the oldest first
        self._by_client_id: dict[str, Connection] = {}
        self._by_thing: dict[str, dict[Connection, None]] = defaultdict(dict)
        self.counters: Counter[str] = Counter()
        self.too_large: Counter[str] = Counter()
        """Messages above the limit, by thing: read, acknowledged and refused."""
        self.refused = RefusedClients()

    async def start(self) -> None:
        """Listen; afterwards ``port`` is the real one. Raises ``OSError`` if it is taken."""
        loop = asyncio.get_running_loop()
        self._limiter = ConnectionLimiter(self._limits, loop.time())
        self._server = await loop.create_server(
            lambda: PendingConnection(self._on_pending),
            self.host,
            self.port,
            backlog=accepted_at_once(),
        )
        lengthen_queue(self._server)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut off everybody; wills are not published."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def deliver(self, thing_arn: str, topic: str, payload: bytes) -> int:
        """Send to the thing's connections that subscribed; how many were reached."""
        connections = self._by_thing.get(thing_arn)
        if not connections:
            return 0
        return sum(connection.deliver(topic, payload) for connection in list(connections))

    def clients(self) -> list[dict[str, Any]]:
        """For ``/api/status``: who is connected, since when, and what they did."""
        return [
            {
                "client_id": connection.client_id,
                "thing": connection.thing.thing_name if connection.thing else None,
                "since": connection.since,
                "published": connection.published,
                "delivered": connection.delivered,
                "dropped": connection.dropped,
            }
            for connection in self._by_client_id.values()
        ]

    # What a connection asks of its server (edgecore.mqtt.gate.Gate).

    def admit(self, connection: Connection, packet: Connect) -> tuple[ConnectCode, Thing | None]:
        code, thing, reason = admit(
            packet,
            self._members,
            certificate_der=connection.certificate_der,
            plain=self._tls is None,
        )
        if thing is None:
            self.counters[f"refused_{code.name.lower()}"] += 1
            log.warning("mqtt connect refused: %s", reason)
            self.refused.add(packet.client_id or connection.host, reason, _now())
            return code, None
        if old := self._by_client_id.pop(packet.client_id, None):
            self.counters["takeovers"] += 1
            self._by_thing[thing.thing_arn].pop(old, None)
            old.close()  # [MQTT-3.1.4-2]
        self._by_client_id[packet.client_id] = connection
        self._by_thing[thing.thing_arn][connection] = None
        self.counters["connects"] += 1
        self._limiter.authenticated(connection.host)
        self._unauthenticated.pop(cast("asyncio.Task[None]", asyncio.current_task()), None)
        return code, thing

    async def publish(self, thing: Thing, topic: str, payload: bytes) -> bool:
        return await self._on_publish(thing, topic, payload)

    def refuse_oversize(self, thing: Thing, packet: Oversize) -> None:
        limit = self._limits.max_payload_bytes
        self.counters["too_large"] += 1
        self.too_large[thing.thing_name] += 1
        detail = f"payload of {packet.size} bytes (limit {limit}): send the image as a file"
        if self.too_large[thing.thing_name] == 1:
            log.warning("mqtt client %r: %r: %s", thing.thing_name, packet.topic, detail)
        said = {"v": 1, "id": packet.message_id, "reason": "too_large", "detail": detail}
        self.deliver(thing.thing_arn, rejected(packet.topic), json.dumps(said).encode())

    def count(self, what: str) -> None:
        self.counters[what] += 1

    def _on_pending(self, transport: asyncio.Transport) -> None:
        """A TCP connection. Whether it may go on is decided before TLS costs anything."""
        loop = asyncio.get_running_loop()
        host = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._limiter.acquire(host, loop.time()):
            self.counters["refused_overload"] += 1
            transport.abort()
            return
        task = loop.create_task(self._serve(transport, host))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._unauthenticated[task] = host
        if (crowding := self._limiter.crowding()) is not None:
            self._end_oldest_of(crowding)

    def _end_oldest_of(self, host: str) -> None:
        task = next((task for task, of in self._unauthenticated.items() if of == host), None)
        if task is not None:
            del self._unauthenticated[task]
            self.counters["evicted_unauthenticated"] += 1
            task.cancel()

    async def _serve(self, transport: asyncio.Transport, host: str) -> None:
        accepted_at = asyncio.get_running_loop().time()
        connection = None
        try:
            streams = await self._streams(transport)
            if streams is not None:
                connection = Connection(
                    *streams, self, self._limits, host=host, accepted_at=accepted_at
                )
                await connection.run()
        except asyncio.CancelledError:
            transport.abort()
        except Exception:
            log.exception(
                "mqtt client %r: a fault in the core", connection and connection.client_id
            )
            transport.abort()
        finally:
            self._unauthenticated.pop(cast("asyncio.Task[None]", asyncio.current_task()), None)
            authenticated = connection is not None and connection.thing is not None
            self._limiter.release(host, authenticated=authenticated)
            if connection is not None:
                self._forget(connection)

    async def _streams(
        self, transport: asyncio.Transport
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The connection's two ends, behind TLS where that is spoken; None: it was not."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(UNREAD_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        if self._tls is None:
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            transport.resume_reading()
            return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
        inner = await self._secured(transport, protocol, self._tls)
        if inner is None:
            return None
        protocol.connection_made(inner)
        return reader, asyncio.StreamWriter(inner, protocol, reader, loop)

    async def _secured(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol, tls: ssl.SSLContext
    ) -> asyncio.Transport | None:
        timeout_s = self._limits.connect_timeout_s
        try:
            return await asyncio.get_running_loop().start_tls(
                transport, protocol, tls, server_side=True, ssl_handshake_timeout=timeout_s
            )
        except (OSError, asyncio.TimeoutError) as error:
            self.counters["refused_tls"] += 1
            if isinstance(error, ssl.SSLError) and "certificate" in str(error).lower():
                host = str((transport.get_extra_info("peername") or ("",))[0])
                self.refused.add(host, "no certificate that this group knows", _now())
            log.info("mqtt: no TLS connection: %s", error)
            transport.abort()
            return None

    def _forget(self, connection: Connection) -> None:
        if self._by_client_id.get(connection.client_id) is connection:
            del self._by_client_id[connection.client_id]
        if connection.thing is not None:
            self._by_thing[connection.thing.thing_arn].pop(connection, None)


def _now() -> float:
    return asyncio.get_running_loop().time()
