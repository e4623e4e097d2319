"""What the broker does with clients that are too large, too slow, too many or wrong."""

from __future__ import annotations

import json

import pytest
from mqtt_peer import Peer, serving
from mqtt_scenario import CAM1, run

from edgecore.mqtt.encoder import encode
from edgecore.mqtt.limits import ConnectRate, Limits
from edgecore.mqtt.packets import (
    Connect,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    Subscribe,
    Will,
)
from edgecore.mqtt.server import MqttServer

FORBIDDEN = {
    "wildcard": encode(Publish("a/+", b"x", 1, 1)),
    "reserved": encode(Publish("$SYS/x", b"x", 1, 1)),
    "no shadow": encode(Publish("$aws/things/cam2/jobs/update", b"x", 1, 1)),
    "long topic": encode(Publish("x" * 257, b"x", 1, 1)),
    "beyond all bounds": b"\x30\xff\xff\xff\x7f",
    "qos 3": b"\x36\x07\x00\x01t\x00\x01xx",
    "second connect": encode(Connect(4, "cam1")),
    "server packet": encode(PingResp()),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_violation_closes_the_connection_and_nothing_is_taken(what: str) -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            peer = await Peer.connect(server)
            peer.writer.write(FORBIDDEN[what])
            assert await peer.receive() is None
            assert core.messages == []
            assert server.counters["protocol_errors"] == 1

    run(scenario)


def test_a_message_that_is_too_large_is_taken_off_its_clients_hands_and_refused_by_name() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            peer = await Peer.connect(server)
            peer.send(Subscribe(1, (("a/rejected", 0),)))
            await peer.receive()
            peer.send(Publish("a", bytes(300_000), 1, 7), Publish("a", b"small", 1, 8))

            refusal = await peer.receive()
            said = json.loads(refusal.payload)
            assert (refusal.topic, said["reason"]) == ("a/rejected", "too_large")
            assert "300000 bytes (limit 131072)" in said["detail"]
            assert await peer.receive() == PubAck(7)
            assert await peer.receive() == PubAck(8)
            assert [payload for *_, payload in core.messages] == [b"small"]
            assert server.too_large == {"cam1": 1}

    run(scenario)


def test_the_largest_payload_passes() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            peer = await Peer.connect(server)
            peer.send(Publish("a", bytes(131_072), 1, 1))
            assert await peer.receive() == PubAck(1)
            assert len(core.messages[0][2]) == 131_072

    run(scenario)


def test_anything_before_connect_closes_the_connection() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            peer = await Peer.open(server)
            peer.send(Publish("a", b"x"))
            assert await peer.receive() is None
            assert core.messages == []

    run(scenario)


def test_a_client_that_falls_silent_is_cut_off_and_its_will_published() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(keep_alive_factor=0.1)) as (server, core):
            will = Will("gone", b"", 0)
            _silent = await Peer.connect(server, keep_alive_s=1, will=will)
            await core.wait_for(1)
            assert server.counters["timeouts"] == 1

    run(scenario)


def test_a_slow_loris_never_gets_past_its_deadline() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(connect_timeout_s=0.2)) as (server, _):
            peer = await Peer.open(server)
            data = encode(Connect(4, "cam1"))
            peer.writer.write(data[:-1])
            assert await peer.receive() is None

    run(scenario)


def test_a_packet_that_never_ends_is_cut_off_without_keep_alive_too() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(partial_packet_timeout_s=0.2)) as (server, _):
            peer = await Peer.connect(server)
            peer.writer.write(encode(Publish("a", b"xx"))[:-1])
            assert await peer.receive() is None

    run(scenario)


def test_connections_beyond_the_limit_are_refused_and_the_honest_stay() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(max_clients=2)) as (server, _):
            honest = await Peer.connect(server)
            _other = await Peer.connect(server, "cam2")
            extra = [await Peer.open(server) for _ in range(5)]
            for peer in extra:
                assert await peer.receive() is None
            honest.send(PingReq())
            assert await honest.receive() == PingResp()
            assert server.counters["refused_overload"] == 5

    run(scenario)


def test_the_connect_rate_is_a_bucket_that_refills() -> None:
    rate = ConnectRate(per_s=2, burst=3, now=0.0)

    assert [rate.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [rate.take(1.0) for _ in range(3)] == [True, True, False]
    assert [rate.take(100.0) for _ in range(4)] == [True, True, True, False]


def test_a_client_that_does_not_read_loses_messages_and_not_the_cores_memory() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(max_outbound_bytes=200_000)) as (server, _):
            peer = await Peer.connect(server)
            peer.send(Subscribe(1, (("a", 0),)))
            await peer.receive()
            sent = sum(server.deliver(CAM1, "a", bytes(100_000)) for _ in range(500))
            assert sent < 500
            assert server.counters["dropped_slow_client"] == 500 - sent
            assert server.clients()[0]["dropped"] == 500 - sent

    run(scenario)


def test_plain_text_is_refused_beyond_loopback() -> None:
    async def take(*_) -> bool:
        return True

    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        MqttServer(host="0.0.0.0", port=0, tls=None, members={}, on_publish=take)
