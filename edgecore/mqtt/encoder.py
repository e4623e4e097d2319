"""Packets in, bytes out. No IO, no clock."""

from __future__ import annotations

import struct

from edgecore.mqtt.packets import (
    ConnAck,
    Connect,
    Disconnect,
    Oversize,
    Packet,
    PingReq,
    PingResp,
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
)


def encode_publish(packet: Publish) -> bytes:
    """The hot path: one message to one client."""
    topic = packet.topic.encode()
    flags = packet.dup << 3 | packet.qos << 1 | packet.retain
    identifier = packet.packet_id.to_bytes(2, "big") if packet.qos else b""
    length = _length(2 + len(topic) + len(identifier) + len(packet.payload))
    head = bytes((Type.PUBLISH << 4 | flags,)) + length + len(topic).to_bytes(2, "big")
    return b"".join((head, topic, identifier, packet.payload))


_ACKNOWLEDGES = {
    PubAck: Type.PUBACK << 4,
    PubRec: Type.PUBREC << 4,
    PubRel: Type.PUBREL << 4 | 2,
    PubComp: Type.PUBCOMP << 4,
    UnsubAck: Type.UNSUBACK << 4,
}


def encode(packet: Packet) -> bytes:  # noqa: PLR0911  (one return per packet type)
    """The bytes of any packet."""
    match packet:
        case Publish():
            return encode_publish(packet)
        case PubAck() | PubRec() | PubRel() | PubComp() | UnsubAck():
            return struct.pack(">BBH", _ACKNOWLEDGES[type(packet)], 2, packet.packet_id)
        case Oversize():
            raise ValueError("an Oversize is only ever received")
        case ConnAck(code, present):
            return bytes((Type.CONNACK << 4, 2, present, code))
        case SubAck(packet_id, codes):
            return _frame(Type.SUBACK, 0, packet_id.to_bytes(2, "big") + bytes(codes))
        case PingReq():
            return bytes((Type.PINGREQ << 4, 0))
        case PingResp():
            return bytes((Type.PINGRESP << 4, 0))
        case Disconnect():
            return bytes((Type.DISCONNECT << 4, 0))
        case Connect():
            return _frame(Type.CONNECT, 0, _connect_body(packet))
        case Subscribe(packet_id, requests):
            parts = [_string(topic_filter) + bytes((qos,)) for topic_filter, qos in requests]
            return _frame(Type.SUBSCRIBE, 2, packet_id.to_bytes(2, "big") + b"".join(parts))
        case Unsubscribe(packet_id, filters):
            body = packet_id.to_bytes(2, "big") + b"".join(map(_string, filters))
            return _frame(Type.UNSUBSCRIBE, 2, body)


def _connect_body(packet: Connect) -> bytes:
    will = packet.will
    flags = packet.clean_session << 1 | (4 | will.qos << 3 if will else 0)
    last_words = _string(will.topic) + _binary(will.payload) if will else b""
    head = _string("MQTT") + bytes((packet.level, flags)) + packet.keep_alive_s.to_bytes(2, "big")
    return head + _string(packet.client_id) + last_words


def _frame(kind: Type, flags: int, body: bytes) -> bytes:
    return bytes((kind << 4 | flags,)) + _length(len(body)) + body


def _length(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        if not value:
            encoded.append(byte)
            return bytes(encoded)
        encoded.append(byte | 0x80)


def _binary(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _string(value: str) -> bytes:
    return _binary(value.encode())
