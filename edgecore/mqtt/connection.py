"""One client's connection: reads packets, answers them, and knows when to give up."""

from __future__ import annotations

import asyncio
import logging
import socket
import time

from edgecore.core.group import Thing
from edgecore.mqtt.decoder import Decoder
from edgecore.mqtt.encoder import encode, encode_publish
from edgecore.mqtt.gate import Gate
from edgecore.mqtt.limits import Limits
from edgecore.mqtt.outgoing import Outgoing
from edgecore.mqtt.packets import (
    SUBSCRIBE_FAILURE,
    ConnAck,
    Connect,
    Disconnect,
    Oversize,
    Packet,
    PingReq,
    PingResp,
    ProtocolError,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
)
from edgecore.mqtt.subscriptions import Subscriptions
from edgecore.mqtt.topics import filter_problem, topic_problem

log = logging.getLogger(__name__)

_READ_BYTES = 262_144
_BUSY_RETRY_S = 0.05
_BUSY_RETRY_MAX_S = 1.0


class Connection:
    """Handles packets strictly in order, so a client's messages keep their order.

    Back-pressure is TCP's: while a publish waits for the core, nothing more is read.
    """

    def __init__(  # noqa: PLR0913  (keyword-only)
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        gate: Gate[Connection],
        limits: Limits,
        *,
        host: str,
        accepted_at: float,
    ) -> None:
        """``accepted_at``: when TCP accepted it, on the loop's clock; its CONNECT is due then."""
        self._reader = reader
        self._writer = writer
        self._gate = gate
        self._limits = limits
        self._decoder = Decoder(max_payload_bytes=limits.max_payload_bytes)
        self._loop = asyncio.get_running_loop()
        self._will: Will | None = None
        self._keep_alive_s = 0.0
        self._last_packet = accepted_at
        self._handling = False
        self._watchdog: asyncio.TimerHandle | None = None
        self._subscriptions = Subscriptions(limits.max_subscriptions)
        self._unreleased: set[int] = set()  # QoS 2: taken, and not to be taken again
        self._out = Outgoing(writer)
        self.host = host
        self.thing: Thing | None = None
        self.client_id = ""
        self.since = time.time()
        self.published = 0
        self.delivered = 0
        self.dropped = 0
        raw = writer.get_extra_info("socket")
        if raw is not None:
            # Nagle against delayed acknowledgements costs 44 ms per QoS 1 message.
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def certificate_der(self) -> bytes | None:
        tls = self._writer.get_extra_info("ssl_object")
        return None if tls is None else tls.getpeercert(binary_form=True)

    async def run(self) -> None:
        """Serve until the client leaves, breaks a rule, or is closed."""
        self._watch()
        reason = "left without DISCONNECT"
        try:
            while data := await self._reader.read(_READ_BYTES):
                for packet in self._decoder.feed(data):
                    await self._take(packet)
                # What is to be sent leaves behind what these packets are handed over to.
                # Not while a packet is handled: a client that does not read its answers times out.
                await self._writer.drain()
        except _Left:
            reason = ""
            # What it sends behind its DISCONNECT, TLS's own goodbye, would meet a reset.
            await self._out.flush_and_close()
        except ProtocolError as error:
            self._gate.count("protocol_errors")
            reason = str(error)
        except (ConnectionError, TimeoutError, OSError) as error:
            reason = f"connection lost: {error}"
        finally:
            if self._watchdog is not None:
                self._watchdog.cancel()
            self._out.send_now()
            self.close()
        if reason:
            log.info("mqtt client %r: %s", self.client_id, reason)
        await self._last_words()

    def close(self) -> None:
        """Drop the connection now; what is unsent is lost, as QoS 0 is."""
        transport = self._writer.transport
        transport.abort()

    def deliver(self, topic: str, payload: bytes) -> bool:
        """Send if a filter matches and the client keeps up."""
        if not self._subscriptions.takes(topic) or self._writer.is_closing():
            return False
        if self._out.waiting_bytes > self._limits.max_outbound_bytes:
            self.dropped += 1
            self._gate.count("dropped_slow_client")
            return False
        self._out.send_soon(encode_publish(Publish(topic, payload)))
        self.delivered += 1
        return True

    async def _take(self, packet: Packet) -> None:
        self._last_packet = self._loop.time()
        self._handling = True
        try:
            await self._handle(packet)
        finally:
            self._handling = False
            self._last_packet = self._loop.time()

    async def _handle(self, packet: Packet) -> None:
        if self.thing is None:
            await self._first(packet)
            return
        match packet:
            case Publish():
                await self._publish(self.thing, packet)
            case PubRel(packet_id):
                self._unreleased.discard(packet_id)
                self._send(PubComp(packet_id))
            case Oversize():
                self._refuse(self.thing, packet)
            case PingReq():
                self._send(PingResp())
            case Subscribe(packet_id, requests):
                codes = tuple(self._subscribe(self.thing, wanted) for wanted, _ in requests)
                self._send(SubAck(packet_id, codes))
            case Unsubscribe(packet_id, filters):
                for topic_filter in filters:
                    self._subscriptions.remove(topic_filter)
                self._send(UnsubAck(packet_id))
            case Disconnect():
                self._will = None  # [MQTT-3.14.4-3]
                raise _Left
            case PubAck():
                pass  # nothing is sent with QoS 1; harmless
            case _:
                raise ProtocolError(f"an unexpected {type(packet).__name__}")

    async def _first(self, packet: Packet) -> None:
        if not isinstance(packet, Connect):
            raise ProtocolError(f"{type(packet).__name__} before CONNECT [MQTT-3.1.0-1]")
        self.client_id = packet.client_id
        code, thing = self._gate.admit(self, packet)
        self._send(ConnAck(code))
        if thing is None:
            await self._out.flush_and_close()
            raise _Left
        self.thing = thing
        self._will = packet.will
        self._keep_alive_s = packet.keep_alive_s * self._limits.keep_alive_factor
        self._arm(self._loop.time() + (self._keep_alive_s or self._limits.partial_packet_timeout_s))

    async def _publish(self, thing: Thing, packet: Publish) -> None:
        if problem := topic_problem(packet.topic, thing.thing_name):
            raise ProtocolError(problem)
        if packet.qos == 2 and packet.packet_id in self._unreleased:
            self._send(PubRec(packet.packet_id))
            return
        self.published += 1
        if await self._offer(thing, packet):
            self._acknowledge(packet)

    def _acknowledge(self, packet: Publish | Oversize) -> None:
        if packet.qos == 1:
            self._send(PubAck(packet.packet_id))
        elif packet.qos == 2:
            self._unreleased.add(packet.packet_id)
            self._send(PubRec(packet.packet_id))

    def _refuse(self, thing: Thing, packet: Oversize) -> None:
        """Taken off the client's hands, else it would send the same for ever."""
        if problem := topic_problem(packet.topic, thing.thing_name):
            raise ProtocolError(problem)
        self._gate.refuse_oversize(thing, packet)
        self._acknowledge(packet)

    async def _offer(self, thing: Thing, packet: Publish) -> bool:
        """Hand over; QoS 1 waits for room, since 3.1.1 has no "busy" to answer with."""
        if await self._gate.publish(thing, packet.topic, packet.payload):
            return True
        if not packet.qos:
            self._gate.count("dropped_qos0_busy")
            return False
        self._gate.count("busy")
        deadline = self._loop.time() + self._limits.busy_timeout_s
        pause_s = _BUSY_RETRY_S
        while self._loop.time() < deadline:
            await asyncio.sleep(pause_s)
            if await self._gate.publish(thing, packet.topic, packet.payload):
                return True
            pause_s = min(2 * pause_s, _BUSY_RETRY_MAX_S)
        raise ProtocolError(
            f"the core had no room for {packet.topic!r} within {self._limits.busy_timeout_s} s;"
            " not acknowledged, so the client will send it again"
        )

    def _subscribe(self, thing: Thing, topic_filter: str) -> int:
        if filter_problem(topic_filter, thing.thing_name) or not self._subscriptions.add(
            topic_filter
        ):
            self._gate.count("refused_subscriptions")
            return SUBSCRIBE_FAILURE
        return 0  # granted QoS 0: all local delivery of Greengrass V1 is QoS 0

    def _send(self, packet: Packet) -> None:
        self._out.send_soon(encode(packet))

    def _arm(self, at: float) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = self._loop.call_at(at, self._watch)

    def _watch(self) -> None:
        """One timer per connection looks whether a deadline has passed."""
        now = self._loop.time()
        deadline = None if self._handling else self._deadline()
        if deadline is not None and deadline <= now:
            self._gate.count("timeouts")
            self.close()
            return
        self._arm(deadline or now + self._limits.partial_packet_timeout_s)

    def _deadline(self) -> float | None:
        if self.thing is None:
            return self._last_packet + self._limits.connect_timeout_s
        limits = [self._keep_alive_s] if self._keep_alive_s else []
        if self._decoder.has_partial:
            limits.append(self._limits.partial_packet_timeout_s)
        return self._last_packet + min(limits) if limits else None

    async def _last_words(self) -> None:
        """Publish the will of a client that left without DISCONNECT [MQTT-3.1.2-8]."""
        will, self._will = self._will, None
        if will is None or self.thing is None:
            return
        if problem := topic_problem(will.topic, self.thing.thing_name):
            log.info("mqtt client %r: its will is not published: %s", self.client_id, problem)
            return
        await self._gate.publish(self.thing, will.topic, will.payload)


class _Left(Exception):  # noqa: N818  (control flow, not an error)
    """The conversation is over as agreed."""
