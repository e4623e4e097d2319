"""One MQTT connection, from CONNECT to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from dataclasses import replace
from typing import Protocol

from devcloud.iot import greeting, packets
from devcloud.iot.greeting import MOST_ALIASES, NOT_AUTHORIZED
from devcloud.iot.packets import V5, Connect, Malformed, Message
from devcloud.iot.registry import Peer, Registry
from devcloud.iot.session import MOST_SUBSCRIPTIONS, MOST_UNACKNOWLEDGED, Session
from devcloud.iot.settings import Settings, Throttle
from devcloud.mqtt_topics import FILTERS_PER_SUBSCRIBE, is_filter, is_topic

log = logging.getLogger("devcloud")

LARGEST_PAYLOAD = 128 * 1024
CONNECT_TIMEOUT_S = 30.0
(OK, TAKEN_OVER) = (0x00, 0x8E)
(MALFORMED, KEEP_ALIVE, BAD_FILTER, BAD_TOPIC) = (0x81, 0x8D, 0x8F, 0x90)
(TOO_LARGE, QUOTA, NO_QOS_2, BAD_ALIAS) = (0x95, 0x97, 0x9B, 0x94)
REFUSED_311 = 0x80
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Ended(Exception):  # noqa: N818 (a connection's end is no error of the cloud)
    """The endpoint closes the connection: MQTT 5's reason, and AWS's lifecycle reason."""

    def __init__(self, reason: int, why: str, text: str = "") -> None:
        super().__init__(text or why)
        self.reason, self.why = reason, why


class BrokerSide(Protocol):
    """What a connection needs of the broker."""

    loop: asyncio.AbstractEventLoop
    settings: Settings

    def take_over(
        self, connection: Connection, *, clean: bool, life_s: int
    ) -> tuple[Session, bool]: ...

    def left(self, connection: Connection) -> None: ...

    def publish(self, connection: Connection, message: Message) -> None: ...

    def presence(self, connection: Connection, event: str, reason: str | None = None) -> None: ...

    def send_retained(self, session: Session, pattern: str) -> None: ...

    def loses(self, fault: str) -> bool: ...


class Connection:
    """Reads, checks and answers packets; the broker routes what it accepts."""

    def __init__(self, broker: BrokerSide, stream: Stream, peer: Peer, registry: Registry) -> None:
        self._broker = broker
        self._reader, self._writer = stream
        self.peer, self.registry = peer, registry
        self.client_id = ""
        self.version = V5
        self.receive_maximum = MOST_UNACKNOWLEDGED
        self.session: Session | None = None
        self.throttle = Throttle()
        self.context: dict[str, str | list[str]] = {}
        self._will: Message | None = None
        self._aliases: dict[int, str] = {}
        self._keep_alive_s = 0

    async def run(self, first: bytes) -> None:
        """`first`: the byte that told MQTT from HTTP."""
        why = "CONNECTION_LOST"
        try:
            connect = await asyncio.wait_for(self._read(first), CONNECT_TIMEOUT_S)
            if not isinstance(connect, Connect):
                return
            self._accept(connect)
            await self._serve()
            why = "CLIENT_INITIATED_DISCONNECT"
        except Ended as end:
            why = end.why
            log.info("iot: %s: closed: %s", self.client_id or self.peer.address, end)
            self._send_disconnect(end)
        except Malformed as error:
            why = "CLIENT_ERROR"
            log.info("iot: %s: malformed: %s", self.client_id or self.peer.address, error)
            self._send_disconnect(Ended(MALFORMED, why, str(error)))
        except (OSError, EOFError, asyncio.TimeoutError):
            log.debug("iot: %s: connection lost", self.client_id)
        finally:
            self._leave(why)
            self._writer.close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self._writer.wait_closed(), 1.0)

    def allows(self, action: str, resource: str) -> bool:
        return self.registry.allows(self.peer, action, resource, self.context)

    def receives(self, topic: str) -> bool:
        """What no policy lets it receive is not delivered, without a word."""
        return self.allows("Receive", f"topic/{topic}")

    def deliver(self, message: Message, packet_id: int) -> None:
        self.send(packets.publish(self.version, message, packet_id))

    def send(self, data: bytes) -> None:
        if delay_s := self._broker.settings.delay_s:
            self._broker.loop.call_later(delay_s, self._write, data)
        else:
            self._write(data)

    def cut(self, end: Ended | None = None) -> None:
        """From outside: closed at once, with a word where there is one."""
        if end is not None:
            self._send_disconnect(end)
            self._writer.close()
        else:
            self._writer.transport.abort()

    # Beginning and end.

    def _accept(self, connect: Connect) -> None:
        """Raises Ended for who may not connect; MQTT 5 is told why, 3.1.1 is just closed."""
        self.version = connect.version
        assigned = not connect.client_id and (connect.clean or self.version == V5)
        name = secrets.token_hex(16) if assigned else connect.client_id
        self.context = self.registry.context(self.peer, name, name)
        self.context["iot:ConnectAttributes"] = greeting.attributes(connect)
        if refused := greeting.refusal(connect, name, self.allows):
            reason, text = refused
            if self.version == V5:
                self.send(packets.connack(V5, reason, properties={"ReasonString": text}))
            raise Ended(OK, "AUTH_ERROR", text)
        self.client_id = name
        self.session, present = self._broker.take_over(
            self, clean=connect.clean, life_s=greeting.life_s(connect)
        )
        self._will = connect.will
        self.receive_maximum = int(connect.properties.get("ReceiveMaximum", MOST_UNACKNOWLEDGED))
        self._keep_alive_s = greeting.keep_alive_s(connect)
        properties = greeting.connack_properties(connect, name if assigned else None)
        self.send(packets.connack(self.version, OK, present=present, properties=properties))
        self._broker.presence(self, "connected")
        self.session.flush()

    def _leave(self, why: str) -> None:
        if self.session is None:
            return
        self._broker.left(self)
        if self._will is not None and why != "CLIENT_INITIATED_DISCONNECT":
            self._broker.publish(self, self._will)
        self._broker.presence(self, "disconnected", why)

    def _send_disconnect(self, end: Ended) -> None:
        if self.version == V5 and end.reason and self.session is not None:
            self._write(packets.disconnect(end.reason, str(end)))

    # Packets.

    async def _read(self, first: bytes = b"") -> packets.Packet:
        head = first or await self._reader.readexactly(1)
        length = shift = 0
        while True:
            (digit,) = await self._reader.readexactly(1)
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
            if shift > 21:
                raise Malformed("the remaining length has more than four bytes")
        if length > packets.LARGEST_PACKET:
            raise Ended(TOO_LARGE, "CLIENT_ERROR", f"packet of {length} bytes")
        return packets.decode(head[0], await self._reader.readexactly(length), self.version)

    async def _serve(self) -> None:
        """Until a DISCONNECT. Raises Ended, Malformed, OSError, EOFError."""
        while True:
            try:
                packet = await asyncio.wait_for(self._read(), self._keep_alive_s * 1.5)
            except asyncio.TimeoutError as error:
                raise Ended(KEEP_ALIVE, "MQTT_KEEP_ALIVE_TIMEOUT") from error
            if isinstance(packet, packets.Disconnect):
                if packet.reason == 0x04:  # "disconnect with will message"
                    raise Ended(OK, "CLIENT_INITIATED_WILL")
                return
            await self._take(packet)

    async def _take(self, packet: packets.Packet) -> None:
        match packet:
            case packets.Publish():
                await self._publish(packet)
            case packets.Ack():
                if self.session:
                    self.session.acknowledged(packet.packet_id)
            case packets.Subscribe():
                self._subscribe(packet)
            case packets.Unsubscribe():
                for name in packet.filters:
                    if self.session:
                        self.session.subscriptions.pop(name, None)
                reasons = [OK] * len(packet.filters)
                answer = packets.suback(self.version, packet.packet_id, reasons, unsubscribe=True)
                self.send(answer)
            case packets.Ping():
                self.send(packets.pingresp())
            case _:
                raise Malformed("a second CONNECT")

    async def _publish(self, packet: packets.Publish) -> None:
        settings = self._broker.settings
        message = self._resolved(packet)
        if message.qos > 1:
            if self.version == V5:
                raise Ended(NO_QOS_2, "CLIENT_ERROR", "QoS 2 is not served")
            return  # 3.1.1: never acknowledged
        if not is_topic(message.topic):
            raise Ended(BAD_TOPIC, "CLIENT_ERROR", f"topic {message.topic[:80]!r}")
        if len(message.payload) > LARGEST_PAYLOAD:
            raise Ended(TOO_LARGE, "CLIENT_ERROR", f"payload of {len(message.payload)} bytes")
        if not self.throttle.takes(settings.publishes_per_s) or self._broker.loses(
            "drop_publishes"
        ):
            return  # the connection stays, no PUBACK ever comes
        if wait_s := self.throttle.wait_s(len(message.payload), settings.bytes_per_s):
            await asyncio.sleep(wait_s)
        if not self._may_publish(message):
            self._denied(packet, message)
            return
        self._broker.publish(self, message)
        if message.qos and not self._broker.loses("withhold_acks"):
            self.send(packets.puback(self.version, packet.packet_id))

    def _may_publish(self, message: Message) -> bool:
        resource = f"topic/{message.topic}"
        return self.allows("Publish", resource) and (
            not message.retain or self.allows("RetainPublish", resource)
        )

    def _denied(self, packet: packets.Publish, message: Message) -> None:
        text = f"no policy allows iot:Publish to {message.topic}"
        softly = self.version == V5 and self._broker.settings.denied_publish == "puback"
        if softly and message.qos:
            log.info("iot: %s: %s", self.client_id, text)
            self.send(packets.puback(self.version, packet.packet_id, NOT_AUTHORIZED, text))
            return
        raise Ended(NOT_AUTHORIZED, "AUTH_ERROR", text)

    def _resolved(self, packet: packets.Publish) -> Message:
        """With its topic, where an alias stood for it."""
        if packet.alias is None:
            return packet.message
        if packet.alias > MOST_ALIASES:
            raise Ended(BAD_ALIAS, "CLIENT_ERROR", f"topic alias {packet.alias}")
        if packet.message.topic:
            self._aliases[packet.alias] = packet.message.topic
        elif packet.alias not in self._aliases:
            raise Ended(BAD_ALIAS, "CLIENT_ERROR", f"topic alias {packet.alias} has no topic")
        return replace(packet.message, topic=self._aliases[packet.alias])

    def _subscribe(self, packet: packets.Subscribe) -> None:
        if len(packet.filters) > FILTERS_PER_SUBSCRIBE or self.session is None:
            raise Ended(QUOTA, "CLIENT_ERROR", f"{len(packet.filters)} filters in one SUBSCRIBE")
        reasons = [self._subscribed(pattern, qos) for pattern, qos in packet.filters]
        self.send(packets.suback(self.version, packet.packet_id, reasons))
        for pattern, _ in packet.filters:
            self._broker.send_retained(self.session, pattern)

    def _subscribed(self, pattern: str, qos: int) -> int:
        """The SUBACK's code: the granted QoS, or the refusal."""
        refusal = OK
        if not is_filter(pattern) or pattern.startswith("$share/"):
            refusal = BAD_FILTER
        elif not self.allows("Subscribe", f"topicfilter/{pattern}"):
            refusal = NOT_AUTHORIZED
            log.info("iot: %s: no policy allows iot:Subscribe to %s", self.client_id, pattern)
        elif self.session and len(self.session.subscriptions) >= MOST_SUBSCRIPTIONS:
            refusal = QUOTA
        if refusal:
            return refusal if self.version == V5 else REFUSED_311
        if self.session:
            self.session.subscriptions[pattern] = min(qos, 1)
        return min(qos, 1)

    def _write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)
