from __future__ import annotations

import hashlib
import tracemalloc

import pytest
from every import every
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecore.mqtt.decoder import MAX_PAYLOAD_BYTES, Decoder
from edgecore.mqtt.encoder import encode
from edgecore.mqtt.packets import (
    ConnAck,
    Connect,
    Disconnect,
    Oversize,
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

ids = st.integers(1, 0xFFFF)
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
payloads = st.binary(max_size=300)
wills = st.none() | st.builds(Will, text, payloads, st.integers(0, 2))
packets = st.one_of(
    st.builds(Connect, st.just(4), text, st.integers(0, 0xFFFF), st.booleans(), wills),
    st.builds(ConnAck, st.integers(0, 5), st.booleans()),
    st.builds(Publish, text, payloads, st.just(0), st.just(0), st.booleans(), st.booleans()),
    st.builds(Publish, text, payloads, st.integers(1, 2), ids, st.booleans(), st.booleans()),
    *(st.builds(kind, ids) for kind in (PubAck, PubRec, PubRel, PubComp)),
    st.builds(
        Subscribe,
        ids,
        st.lists(st.tuples(text, st.integers(0, 2)), min_size=1, max_size=8).map(tuple),
    ),
    st.builds(SubAck, ids, st.lists(st.sampled_from([0, 1, 0x80]), min_size=1).map(tuple)),
    st.builds(Unsubscribe, ids, st.lists(text, min_size=1, max_size=8).map(tuple)),
    st.builds(UnsubAck, ids),
    st.sampled_from([PingReq(), PingResp(), Disconnect()]),
)


@given(st.lists(packets, max_size=6), st.lists(st.integers(1, 40), max_size=30))
def test_any_packets_survive_any_split_of_their_bytes(sent, cuts) -> None:
    data = b"".join(map(encode, sent))
    decoder, found, at = Decoder(), [], 0
    for size in [*cuts, len(data)]:
        found.extend(decoder.feed(data[at : at + size]))
        at += size

    assert found == sent
    assert not decoder.has_partial


@settings(max_examples=600)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_give_packets_or_a_protocol_error(data: bytes) -> None:
    decoder = Decoder()
    try:
        for _ in decoder.feed(data):
            pass
    except ProtocolError:
        return
    assert len(list(decoder.feed(b""))) == 0


@settings(max_examples=600)
@given(packets, st.data())
def test_a_packet_with_one_byte_changed_gives_packets_or_a_protocol_error(packet, data) -> None:
    raw = bytearray(encode(packet))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    decoder = Decoder()
    try:
        found = list(decoder.feed(bytes(raw)))
    except ProtocolError:
        return
    # A longer length than was sent: nothing but the beginning of a packet is there.
    assert every(encode(one) for one in found) if found else decoder.has_partial


def test_a_payload_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    longest = "t" * 256
    for topic in ("t", longest):
        whole = encode(Publish(topic, bytes(MAX_PAYLOAD_BYTES), 1, 1))
        (packet,) = Decoder().feed(whole)
        assert len(packet.payload) == 131_072

        beyond = encode(Publish(topic, bytes(MAX_PAYLOAD_BYTES + 1), 1, 1))
        (packet,) = Decoder().feed(beyond)
        assert packet == Oversize(topic, MAX_PAYLOAD_BYTES + 1, 1, 1, digest_id(bytes(131_073)))


@pytest.mark.parametrize("first", [b"\x30", b"\x10"])
def test_a_packet_above_every_bound_is_refused_from_its_header_alone(first: bytes) -> None:
    with pytest.raises(ProtocolError, match="limit"):
        list(Decoder().feed(first + b"\xff\xff\xff\x7f"))


def digest_id(payload: bytes) -> str:
    return "sha256:" + hashlib.sha256(payload).hexdigest()[:32]


@given(st.integers(50, 400), st.lists(st.integers(1, 60), max_size=30), st.integers(0, 2), payloads)
def test_what_is_too_large_is_skipped_however_it_is_cut_and_what_follows_is_read(
    size: int, cuts: list[int], qos: int, after: bytes
) -> None:
    payload = bytes(range(256)) * 2
    large = Publish("some/topic", payload[:size], qos, 9 if qos else 0)
    data = encode(large) + encode(Publish("next", after[:40]))
    decoder, found, at = Decoder(max_payload_bytes=49), [], 0
    for cut in [*cuts, len(data)]:
        found += decoder.feed(data[at : at + cut])
        at += cut

    assert found == [
        Oversize("some/topic", size, qos, large.packet_id, digest_id(payload[:size])),
        Publish("next", after[:40]),
    ]
    assert not decoder.has_partial


def test_skipping_costs_no_memory() -> None:
    decoder, piece = Decoder(), bytes(65_536)
    head = encode(Publish("t", bytes(20 << 20)))[:10]
    tracemalloc.start()
    found = list(decoder.feed(head))
    for _ in range(19 * 16):
        found += decoder.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found == []
    assert decoder.has_partial
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(b' {"v":1,"id" : "m-17","files":[]', "m-17"), (b'{"v":1,"files":["a"]', None)],
)
def test_an_event_that_is_too_large_is_called_by_its_own_id(payload: bytes, expected) -> None:
    (packet,) = Decoder(max_payload_bytes=10).feed(encode(Publish("t", payload)))

    assert packet.message_id == expected


MALFORMED = {
    "QoS 3": b"\x36\x07\x00\x01t\x00\x01xx",
    "packet type 0": b"\x00\x00",
    "packet type 15": b"\xf0\x00",
    "reserved flags": b"\x80\x06\x00\x01\x00\x01t\x00",
    "reserved flags 0x1": b"\xc1\x00",
    "four bytes": b"\x30\x80\x80\x80\x80\x01",
    "identifier 0": b"\x32\x05\x00\x01t\x00\x00",
    "inside a field": b"\x30\x02\x00\x05",
    "not UTF-8": b"\x30\x03\x00\x01\xff",
    "U\\+0000": b"\x30\x03\x00\x01\x00",
    "too many": b"\xc0\x01x",
    "0 topic filters": b"\x82\x02\x00\x01",
    "asks for QoS 3": b"\x82\x06\x00\x01\x00\x01t\x03",
    "protocol name": b"\x10\x07\x00\x04HTTP\x04",
    "reserved flag set": b"\x10\x0c\x00\x04MQTT\x04\x01\x00\x00\x00\x00",
    "will flags but no will": b"\x10\x0c\x00\x04MQTT\x04\x08\x00\x00\x00\x00",
    "will with QoS 3": b"\x10\x10\x00\x04MQTT\x04\x1c\x00\x00\x00\x00\x00\x01t\x00",
    "password but no user": b"\x10\x0c\x00\x04MQTT\x04\x40\x00\x00\x00\x00",
}


@pytest.mark.parametrize("reason", MALFORMED)
def test_each_violation_is_named(reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        list(Decoder().feed(MALFORMED[reason]))


@pytest.mark.parametrize(("name", "level"), [(b"MQTT", 5), (b"MQIsdp", 3), (b"MQTT", 3)])
def test_other_versions_are_recognised_by_their_level(name: bytes, level: int) -> None:
    body = len(name).to_bytes(2, "big") + name + bytes((level,)) + b"\x02\x00\x3c\x00"
    (packet,) = Decoder().feed(bytes((0x10, len(body))) + body)

    assert packet == Connect(level=level)
