"""Bytes in, packets out. No IO, no clock.

MQTT 3.1.1 (OASIS, 2014) as far as this endpoint speaks it: QoS 2 is refused by name.
The decoder is incremental and bounded: a packet that announces more than the limit is
refused from its fixed header, before its body is buffered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from contract.limits import MESSAGE_BYTES, TOPIC_BYTES
from edgecore.mqtt.packets import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    ProtocolError,
    PubAck,
    Publish,
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
_RESERVED_FLAGS: Mapping[int, int] = {Type.SUBSCRIBE: 2, Type.UNSUBSCRIBE: 2}


class Decoder:
    """Collects bytes and gives whole packets. After a ``ProtocolError`` throw it away."""

    def __init__(self, *, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._max_body_bytes = max_payload_bytes + _PUBLISH_OVERHEAD
        self._buffer = bytearray()

    @property
    def has_partial(self) -> bool:
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Add ``data``; yield every packet it completes, in order. Consume it fully."""
        self._buffer += data
        at = 0
        try:
            while (frame := self._frame(at)) is not None:
                start, end = frame
                first = self._buffer[at]
                body = bytes(self._buffer[start:end])
                at = end
                yield self._packet(first >> 4, first & 0x0F, body)
        finally:
            del self._buffer[:at]

    def _frame(self, at: int) -> tuple[int, int] | None:
        """Where the next packet's body starts and ends, None while bytes are missing."""
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
                raise ProtocolError(
                    f"packet of {length} bytes; limit {self._max_body_bytes}"
                    f" ({self._max_payload_bytes} of payload)"
                )
            return (cursor, cursor + length) if cursor + length <= len(buffer) else None
        return None

    def _packet(self, kind: int, flags: int, body: bytes) -> Packet:
        if kind == Type.PUBLISH:
            return self._publish(flags, body)
        reader = _Reader(body)
        packet = _DECODERS[kind](reader)
        reader.finish()
        return packet

    def _publish(self, flags: int, body: bytes) -> Publish:
        qos = flags >> 1 & 3
        if qos > 1:
            raise ProtocolError(f"PUBLISH with QoS {qos}; this endpoint supports QoS 0 and 1")
        reader = _Reader(body)
        topic = reader.text()
        packet_id = reader.packet_id() if qos else 0
        payload = reader.rest()
        if len(payload) > self._max_payload_bytes:
            raise ProtocolError(
                f"payload of {len(payload)} bytes on {topic!r}; limit {self._max_payload_bytes}"
            )
        return Publish(topic, payload, qos, packet_id, bool(flags & 1), bool(flags & 8))


def _check_first_byte(first: int) -> None:
    """Refuse at once what can never become a packet, e.g. another protocol's greeting."""
    kind, flags = first >> 4, first & 0x0F
    if kind == Type.PUBLISH:
        return
    if kind not in _DECODERS:
        raise ProtocolError(f"packet type {kind} is not part of QoS 0 and 1")
    if flags != _RESERVED_FLAGS.get(kind, 0):
        raise ProtocolError(f"reserved flags {flags:#x} in packet type {kind}")


class _Reader:
    """Takes fields off one packet's body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def byte(self) -> int:
        return self._take(1)[0]

    def uint16(self) -> int:
        return int.from_bytes(self._take(2), "big")

    def packet_id(self) -> int:
        value = self.uint16()
        if value == 0:
            raise ProtocolError("packet identifier 0 [MQTT-2.3.1-1]")
        return value

    def binary(self) -> bytes:
        return self._take(self.uint16())

    def text(self) -> str:
        try:
            value = self.binary().decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError("a string is not UTF-8 [MQTT-1.5.3-1]") from error
        if "\0" in value:
            raise ProtocolError("a string holds U+0000 [MQTT-1.5.3-2]")
        return value

    def rest(self) -> bytes:
        taken = self._body[self._at :]
        self._at = len(self._body)
        return taken

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._body)

    def finish(self) -> None:
        if not self.at_end:
            raise ProtocolError(f"{len(self._body) - self._at} bytes too many in a packet")

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._body):
            raise ProtocolError("a packet ends inside a field")
        taken = self._body[self._at : end]
        self._at = end
        return taken


def _connect(reader: _Reader) -> Connect:
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


def _will(reader: _Reader, flags: int) -> Will | None:
    qos, retain = flags >> 3 & 3, flags & 0x20
    if not flags & 4:
        if qos or retain:
            raise ProtocolError("CONNECT with will flags but no will [MQTT-3.1.2-11]")
        return None
    if qos > 1:
        raise ProtocolError(f"a will with QoS {qos}; this endpoint supports QoS 0 and 1")
    return Will(reader.text(), reader.binary(), qos)


def _subscribe(reader: _Reader) -> Subscribe:
    packet_id = reader.packet_id()
    requests = []
    while not reader.at_end:
        topic_filter, qos = reader.text(), reader.byte()
        if qos > 2:
            raise ProtocolError(f"SUBSCRIBE asks for QoS {qos} [MQTT-3-8.3-4]")
        requests.append((topic_filter, qos))
    _check_filters(len(requests))
    return Subscribe(packet_id, tuple(requests))


def _unsubscribe(reader: _Reader) -> Unsubscribe:
    packet_id = reader.packet_id()
    filters = []
    while not reader.at_end:
        filters.append(reader.text())
    _check_filters(len(filters))
    return Unsubscribe(packet_id, tuple(filters))


def _check_filters(count: int) -> None:
    if not 1 <= count <= MAX_FILTERS:
        raise ProtocolError(f"{count} topic filters in one packet; 1 to {MAX_FILTERS} are allowed")


def _suback(reader: _Reader) -> SubAck:
    return SubAck(reader.packet_id(), tuple(reader.rest()))


def _connack(reader: _Reader) -> ConnAck:
    present = bool(reader.byte() & 1)
    return ConnAck(reader.byte(), present)


_DECODERS: Mapping[int, Callable[[_Reader], Packet]] = {
    Type.CONNECT: _connect,
    Type.CONNACK: _connack,
    Type.PUBACK: lambda reader: PubAck(reader.packet_id()),
    Type.SUBSCRIBE: _subscribe,
    Type.SUBACK: _suback,
    Type.UNSUBSCRIBE: _unsubscribe,
    Type.UNSUBACK: lambda reader: UnsubAck(reader.packet_id()),
    Type.PINGREQ: lambda _: PingReq(),
    Type.PINGRESP: lambda _: PingResp(),
    Type.DISCONNECT: lambda _: Disconnect(),
}
