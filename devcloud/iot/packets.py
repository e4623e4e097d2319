"""MQTT 5 and 3.1.1 on the wire, the server's half: bytes to packets and back.

Sources: OASIS MQTT 5.0 and 3.1.1. The property section of MQTT 5 is paho's own code.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

(CONNECT, CONNACK, PUBLISH, PUBACK) = (1, 2, 3, 4)
(SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK) = (8, 9, 10, 11)
(PINGREQ, PINGRESP, DISCONNECT) = (12, 13, 14)
V311, V5 = 4, 5
LARGEST_PACKET = 149_504
"""146 KB: AWS's quota of an MQTT 5 packet; its CONNACK says the same."""


_Properties: Any = Properties  # untyped in paho


class Malformed(Exception):  # noqa: N818 (MQTT's own word)
    """Bytes that are no MQTT packet, or one that this endpoint does not know."""


@dataclass(frozen=True)
class Message:
    """An application message; `properties` are those that travel with it."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Connect:
    version: int
    client_id: str
    clean: bool
    keep_alive_s: int
    will: Message | None
    properties: dict[str, Any]


@dataclass(frozen=True)
class Publish:
    message: Message
    packet_id: int
    duplicate: bool
    alias: int | None


@dataclass(frozen=True)
class Ack:
    packet_id: int


@dataclass(frozen=True)
class Subscribe:
    packet_id: int
    filters: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Unsubscribe:
    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Ping:
    pass


@dataclass(frozen=True)
class Disconnect:
    reason: int
    properties: dict[str, Any]


Packet = Connect | Publish | Ack | Subscribe | Unsubscribe | Ping | Disconnect
_TRAVELS = ("PayloadFormatIndicator", "MessageExpiryInterval", "ContentType", "ResponseTopic",
            "CorrelationData", "UserProperty")  # fmt: skip


class Reader:
    """A cursor over one packet's body."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def take(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        if len(found) < count:
            raise Malformed("a packet ends too early")
        self._at += count
        return found

    def number(self, size: int = 2) -> int:
        return int.from_bytes(self.take(size), "big")

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        try:
            return self.binary().decode()
        except UnicodeDecodeError as error:
            raise Malformed("a text is not UTF-8") from error

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._at)

    @property
    def ended(self) -> bool:
        return self._at >= len(self._body)

    def properties(self, kind: int) -> dict[str, Any]:
        found: Any = _Properties(kind)
        try:
            _, length = found.unpack(self._body[self._at :])
        except Exception as error:  # paho has several of its own
            raise Malformed(f"properties: {error}") from error
        self.take(length)
        names = (name.replace(" ", "") for name in found.names)
        return {name: getattr(found, name) for name in names if hasattr(found, name)}


def decode(first: int, body: bytes, version: int) -> Packet:
    """One packet from its first byte and body. Raises Malformed."""
    kind, flags = first >> 4, first & 0x0F
    if kind == PUBLISH:
        return _publish(Reader(body), flags, version)
    wanted_flags, parse = _KINDS.get(kind, (None, None))
    if parse is None or flags != wanted_flags:
        raise Malformed(f"packet type {kind} with flags {flags} is not served")
    return parse(Reader(body), version)


def _puback(reader: Reader, _version: int) -> Packet:
    return Ack(reader.number())


def _ping(_reader: Reader, _version: int) -> Packet:
    return Ping()


def _disconnect(reader: Reader, _version: int) -> Packet:
    reason = 0 if reader.ended else reader.number(1)
    return Disconnect(reason, {} if reader.ended else reader.properties(PacketTypes.DISCONNECT))


def _subscribe(reader: Reader, version: int) -> Packet:
    packet_id = reader.number()
    if version == V5:
        reader.properties(PacketTypes.SUBSCRIBE)
    filters = []
    while not reader.ended:
        filters.append((reader.text(), reader.number(1) & 0x03))
    return Subscribe(packet_id, tuple(filters))


def _unsubscribe(reader: Reader, version: int) -> Packet:
    packet_id = reader.number()
    if version == V5:
        reader.properties(PacketTypes.UNSUBSCRIBE)
    names = []
    while not reader.ended:
        names.append(reader.text())
    return Unsubscribe(packet_id, tuple(names))


def _connect(reader: Reader, _version: int) -> Connect:
    name, version = reader.text(), reader.number(1)
    if name != "MQTT" or version not in (V311, V5):
        raise Malformed(f"protocol {name!r} level {version} is not served")
    flags, keep_alive_s = reader.number(1), reader.number()
    properties = reader.properties(PacketTypes.CONNECT) if version == V5 else {}
    client_id = reader.text()
    will = None
    if flags & 0x04:
        more = reader.properties(PacketTypes.WILLMESSAGE) if version == V5 else {}
        topic, payload = reader.text(), reader.binary()
        kept = {key: more[key] for key in _TRAVELS if key in more}
        will = Message(topic, payload, flags >> 3 & 0x03, bool(flags & 0x20), kept)
    if flags & 0x80:
        reader.text()  # a user name carries the SDK's own statistics
    if flags & 0x40:
        reader.binary()
    return Connect(version, client_id, bool(flags & 0x02), keep_alive_s, will, properties)


def _publish(reader: Reader, flags: int, version: int) -> Publish:
    topic, qos = reader.text(), flags >> 1 & 0x03
    packet_id = reader.number() if qos else 0
    more = reader.properties(PacketTypes.PUBLISH) if version == V5 else {}
    kept = {key: more[key] for key in _TRAVELS if key in more}
    message = Message(topic, reader.rest(), qos, bool(flags & 0x01), kept)
    return Publish(message, packet_id, bool(flags & 0x08), more.get("TopicAlias"))


_KINDS: dict[int, tuple[int, Callable[[Reader, int], Packet]]] = {
    CONNECT: (0, _connect),
    PUBACK: (0, _puback),
    SUBSCRIBE: (2, _subscribe),
    UNSUBSCRIBE: (2, _unsubscribe),
    PINGREQ: (0, _ping),
    DISCONNECT: (0, _disconnect),
}


def connack(
    version: int, reason: int, *, present: bool = False, properties: dict[str, Any] | None = None
) -> bytes:
    body = bytes([present, reason])
    if version == V5:
        body += _packed(PacketTypes.CONNACK, properties or {})
    return _framed(CONNACK << 4, body)


def publish(version: int, message: Message, packet_id: int, *, duplicate: bool = False) -> bytes:
    topic = message.topic.encode()
    body = struct.pack("!H", len(topic)) + topic
    if message.qos:
        body += struct.pack("!H", packet_id)
    if version == V5:
        body += _packed(PacketTypes.PUBLISH, message.properties)
    flags = duplicate << 3 | message.qos << 1 | message.retain
    return _framed(PUBLISH << 4 | flags, body + message.payload)


def puback(version: int, packet_id: int, reason: int = 0, text: str = "") -> bytes:
    body = struct.pack("!H", packet_id)
    if version == V5 and reason:
        body += bytes([reason])
        body += _packed(PacketTypes.PUBACK, {"ReasonString": text} if text else {})
    return _framed(PUBACK << 4, body)


def suback(version: int, packet_id: int, reasons: list[int], *, unsubscribe: bool = False) -> bytes:
    kind = UNSUBACK if unsubscribe else SUBACK
    body = struct.pack("!H", packet_id)
    if version == V5:
        body += _packed(kind, {})
    if not unsubscribe or version == V5:
        body += bytes(reasons)
    return _framed(kind << 4, body)


def pingresp() -> bytes:
    return _framed(PINGRESP << 4, b"")


def disconnect(reason: int, text: str = "") -> bytes:
    """MQTT 5 only: a 3.1.1 server just closes."""
    more = _packed(PacketTypes.DISCONNECT, {"ReasonString": text} if text else {})
    return _framed(DISCONNECT << 4, bytes([reason]) + more)


def _packed(kind: int, values: dict[str, Any]) -> bytes:
    properties: Any = _Properties(kind)
    for name, value in values.items():
        setattr(properties, name, value)
    return bytes(properties.pack())


def _framed(first: int, body: bytes) -> bytes:
    length, encoded = len(body), bytearray()
    while True:
        length, digit = length >> 7, length & 0x7F
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([first]) + bytes(encoded) + body
