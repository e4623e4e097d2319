"""Bytes in, packets out. No IO, no clock.

MQTT 3.1.1 (OASIS, 2014). The decoder is incremental and bounded: a PUBLISH that announces
more than the limit is read without being kept, any other such packet is refused from its
fixed header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from contract.limits import MESSAGE_BYTES, TOPIC_BYTES
from edgecore.mqtt.fields import Fields
from edgecore.mqtt.oversize import MAX_SKIPPED_BYTES, Skipping
from edgecore.mqtt.packets import (
    ConnAck,
    Connect,
    Disconnect,
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
    Type,
    UnsubAck,
    Unsubscribe,
    Will,
)

MAX_PAYLOAD_BYTES = MESSAGE_BYTES.value
"""Message size from a device: 128 KB ("matches AWS IoT"), Greengrass V1 quotas page."""
MAX_TOPIC_BYTES = TOPIC_BYTES.value
"""Topic length: 256 bytes of UTF-8, Greengrass V1 quotas page."""
MAX_FILTERS = 8
"""Subscriptions in one SUBSCRIBE: 8, AWS IoT Core message broker quotas."""

_PUBLISH_OVERHEAD = 2 + MAX_TOPIC_BYTES + 2
_LENGTH_SHIFT_END = 28  # four bytes of seven bits (2.2.3)
_RESERVED_FLAGS: Mapping[int, int] = {
    Type.PUBREL: 2,
    Type.SUBSCRIBE: 2,
    Type.UNSUBSCRIBE: 2,
}


class Decoder:
    """Collects bytes and gives whole packets. After a ``ProtocolError`` throw it away."""

    def __init__(self, *, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._max_body_bytes = max_payload_bytes + _PUBLISH_OVERHEAD
        self._buffer = bytearray()
        self._skipping: Skipping | None = None
        self._skip_from = 0

    @property
    def has_partial(self) -> bool:
        return bool(self._buffer) or self._skipping is not None

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Add ``data``; yield every packet it completes, in order. Consume it fully."""
        self._buffer += data
        at = 0
        try:
            while True:
                if self._skipping is not None:
                    at = self._skipping.swallow(self._buffer, at)
                    skipped = self._skipping.packet()
                    if skipped is None:
                        return
                    self._skipping = None
                    yield skipped
                elif (frame := self._frame(at)) is not None:
                    first = self._buffer[at]
                    at = frame[1]
                    if (packet := self._packet(first >> 4, first & 0x0F, *frame)) is not None:
                        yield packet
                elif self._skipping is None:
                    return
                else:
                    at = self._skip_from
        finally:
            del self._buffer[:at]

    def _frame(self, at: int) -> tuple[int, int] | None:
        """Where the next packet's body starts and ends, None while bytes are missing or where
        it is one to skip."""
        buffer = self._buffer
        if at < len(buffer):
            _check_first_byte(buffer[at])
        length = shift = 0
        cursor = at + 1
        while cursor < len(buffer):
            byte = buffer[cursor]
            cursor += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte & 0x80:
                if shift == _LENGTH_SHIFT_END:
                    raise ProtocolError("remaining length has more than four bytes")
                continue
            if length > self._max_body_bytes:
                self._begin_to_skip(buffer[at], cursor, length)
                return None
            return (cursor, cursor + length) if cursor + length <= len(buffer) else None
        return None

    def _begin_to_skip(self, first: int, start: int, length: int) -> None:
        """A body above the limit: of a PUBLISH its head is read, once it is there."""
        if first >> 4 != Type.PUBLISH or length > MAX_SKIPPED_BYTES:
            raise ProtocolError(
                f"packet of {length} bytes; limit {self._max_body_bytes}"
                f" ({self._max_payload_bytes} of payload)"
            )
        topic_bytes = int.from_bytes(self._buffer[start : start + 2], "big")
        if topic_bytes > MAX_TOPIC_BYTES:
            raise ProtocolError(f"topic of {topic_bytes} bytes; limit {MAX_TOPIC_BYTES}")
        head = bytes(self._buffer[start : start + 2 + topic_bytes + 2])
        if len(head) < 2 + topic_bytes + 2:
            return
        reader = Fields(head)
        qos, topic, packet_id = _publish_head(reader, first & 0x0F)
        used = len(head) - len(reader.rest())
        self._skipping = Skipping(topic, qos, packet_id, length - used)
        self._skip_from = start + used

    def _packet(self, kind: int, flags: int, start: int, end: int) -> Packet | None:
        if kind == Type.PUBLISH:
            return self._publish(flags, start, end)
        reader = Fields(self._bytes(start, end))
        packet = _DECODERS[kind](reader)
        reader.finish()
        return packet

    def _publish(self, flags: int, start: int, end: int) -> Packet | None:
        """The payload is copied once, out of the buffer: it may be a picture."""
        topic_bytes = int.from_bytes(self._buffer[start : min(start + 2, end)], "big")
        payload_at = min(start + 2 + topic_bytes + (2 if flags & 6 else 0), end)
        qos, topic, packet_id = _publish_head(Fields(self._bytes(start, payload_at)), flags)
        payload = self._bytes(payload_at, end)
        if len(payload) > self._max_payload_bytes:
            skipping = Skipping(topic, qos, packet_id, len(payload))
            skipping.swallow(bytearray(payload), 0)
            return skipping.packet()
        return Publish(topic, payload, qos, packet_id, bool(flags & 1), bool(flags & 8))

    def _bytes(self, start: int, end: int) -> bytes:
        with memoryview(self._buffer) as view:  # a slice would be one more copy
            return bytes(view[start:end])


def _publish_head(reader: Fields, flags: int) -> tuple[int, str, int]:
    """QoS, topic and packet identifier; what follows is the payload."""
    qos = flags >> 1 & 3
    if qos > 2:
        raise ProtocolError("PUBLISH with QoS 3 [MQTT-3.3.1-4]")
    return qos, reader.text(), reader.packet_id() if qos else 0


def _check_first_byte(first: int) -> None:
    """Refuse at once what can never become a packet, e.g. another protocol's greeting."""
    kind, flags = first >> 4, first & 0x0F
    if kind == Type.PUBLISH:
        return
    if kind not in _DECODERS:
        raise ProtocolError(f"packet type {kind} is not part of MQTT 3.1.1")
    if flags != _RESERVED_FLAGS.get(kind, 0):
        raise ProtocolError(f"reserved flags {flags:#x} in packet type {kind}")


def _connect(reader: Fields) -> Connect:
    name, level = reader.text(), reader.byte()
    if name not in ("MQTT", "MQIsdp"):
        raise ProtocolError(f"protocol name {name[:20]!r}; expected 'MQTT'")
    if (name, level) != ("MQTT", 4):
        reader.rest()  # other versions lay out the rest differently
        return Connect(level=level if level != 4 else 0)
    flags, keep_alive_s = reader.byte(), reader.uint16()
    if flags & 1:
        raise ProtocolError("CONNECT with its reserved flag set [MQTT-3.1.2-3]")
    client_id = reader.text()
    will = _will(reader, flags)
    has_name, has_password = bool(flags & 0x80), bool(flags & 0x40)
    if has_password and not has_name:
        raise ProtocolError("CONNECT with a password but no user name [MQTT-3.1.2-22]")
    # Read and ignored: AWS's SDKs send metrics as the user name; the certificate counts.
    for present, take in ((has_name, reader.text), (has_password, reader.binary)):
        if present:
            take()
    return Connect(level, client_id, keep_alive_s, bool(flags & 2), will)


def _will(reader: Fields, flags: int) -> Will | None:
    qos, retain = flags >> 3 & 3, flags & 0x20
    if not flags & 4:
        if qos or retain:
            raise ProtocolError("CONNECT with will flags but no will [MQTT-3.1.2-11]")
        return None
    if qos > 2:
        raise ProtocolError("a will with QoS 3 [MQTT-3.1.2-14]")
    return Will(reader.text(), reader.binary(), qos)


def _subscribe(reader: Fields) -> Subscribe:
    packet_id = reader.packet_id()
    requests = []
    while not reader.at_end:
        topic_filter, qos = reader.text(), reader.byte()
        if qos > 2:
            raise ProtocolError(f"SUBSCRIBE asks for QoS {qos} [MQTT-3-8.3-4]")
        requests.append((topic_filter, qos))
    _check_filters(len(requests))
    return Subscribe(packet_id, tuple(requests))


def _unsubscribe(reader: Fields) -> Unsubscribe:
    packet_id = reader.packet_id()
    filters = []
    while not reader.at_end:
        filters.append(reader.text())
    _check_filters(len(filters))
    return Unsubscribe(packet_id, tuple(filters))


def _check_filters(count: int) -> None:
    if not 1 <= count <= MAX_FILTERS:
        raise ProtocolError(f"{count} topic filters in one packet; 1 to {MAX_FILTERS} are allowed")


def _suback(reader: Fields) -> SubAck:
    return SubAck(reader.packet_id(), tuple(reader.rest()))


def _connack(reader: Fields) -> ConnAck:
    present = bool(reader.byte() & 1)
    return ConnAck(reader.byte(), present)


_DECODERS: Mapping[int, Callable[[Fields], Packet]] = {
    Type.CONNECT: _connect,
    Type.CONNACK: _connack,
    Type.PUBACK: lambda reader: PubAck(reader.packet_id()),
    Type.PUBREC: lambda reader: PubRec(reader.packet_id()),
    Type.PUBREL: lambda reader: PubRel(reader.packet_id()),
    Type.PUBCOMP: lambda reader: PubComp(reader.packet_id()),
    Type.SUBSCRIBE: _subscribe,
    Type.SUBACK: _suback,
    Type.UNSUBSCRIBE: _unsubscribe,
    Type.UNSUBACK: lambda reader: UnsubAck(reader.packet_id()),
    Type.PINGREQ: lambda _: PingReq(),
    Type.PINGRESP: lambda _: PingResp(),
    Type.DISCONNECT: lambda _: Disconnect(),
}
