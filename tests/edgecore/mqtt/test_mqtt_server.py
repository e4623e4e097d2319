"""The endpoint over real sockets, spoken to packet by packet."""

from __future__ import annotations

import asyncio
import json

import pytest
from mqtt_peer import DEADLINE_S, MEMBERS, Peer, serving

from edgecore.mqtt.encoder import encode
from edgecore.mqtt.limits import ConnectRate, Limits
from edgecore.mqtt.packets import (
    ConnAck,
    Connect,
    Disconnect,
    PingReq,
    PingResp,
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
from edgecore.mqtt.server import MqttServer

CAM1, CAM2 = MEMBERS["cam1"].thing_arn, MEMBERS["cam2"].thing_arn


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 3 * DEADLINE_S))


async def until(condition) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_qos_1_publish_is_acknowledged_after_the_core_took_it() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            peer = await Peer.connect(server)
            peer.send(Publish("a/b", b"x", 1, 7))
            assert await peer.receive() == PubAck(7)
            assert core.messages == [("cam1", "a/b", b"x")]

    run(scenario)


def test_a_publish_the_core_has_no_room_for_waits_unacknowledged_and_in_order() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            core.busy = 2
            peer = await Peer.connect(server)
            peer.send(Publish("a", b"1", 1, 1), Publish("a", b"2", 1, 2))
            assert await peer.receive() == PubAck(1)
            assert await peer.receive() == PubAck(2)
            assert [payload for *_, payload in core.messages] == [b"1", b"2"]
            assert server.counters["busy"] == 1

    run(scenario)


def test_a_core_that_stays_busy_cuts_the_client_off_without_acknowledging() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(busy_timeout_s=0.1)) as (server, core):
            core.busy = 10_000
            peer = await Peer.connect(server)
            peer.send(Publish("a", b"1", 1, 1))
            assert await peer.receive() is None

    run(scenario)


def test_a_qos_0_publish_the_core_has_no_room_for_is_dropped_and_counted() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            core.busy = 1
            peer = await Peer.connect(server)
            peer.send(Publish("a", b"1"), PingReq())
            assert await peer.receive() == PingResp()
            assert core.messages == []
            assert server.counters["dropped_qos0_busy"] == 1

    run(scenario)


def test_delivery_reaches_only_the_thing_and_only_what_it_subscribed_to() -> None:
    async def scenario() -> None:
        async with serving() as (server, _):
            one, two = await Peer.connect(server, "cam1"), await Peer.connect(server, "cam2")
            for peer in (one, two):
                peer.send(Subscribe(1, (("a/+", 1), ("b/#", 2))))
                assert await peer.receive() == SubAck(1, (0, 0))
            assert server.deliver(CAM1, "a/x", b"1") == 1
            assert server.deliver(CAM1, "c", b"no") == 0
            assert server.deliver(CAM2, "b", b"2") == 1
            assert server.deliver("arn:nobody", "b", b"no") == 0
            assert await one.receive() == Publish("a/x", b"1")
            assert await two.receive() == Publish("b", b"2")

    run(scenario)


def test_overlapping_filters_deliver_once_and_unsubscribe_ends_it() -> None:
    async def scenario() -> None:
        async with serving() as (server, _):
            peer = await Peer.connect(server)
            peer.send(Subscribe(1, (("#", 0), ("a", 0))))
            await peer.receive()
            assert server.deliver(CAM1, "a", b"1") == 1
            assert await peer.receive() == Publish("a", b"1")
            peer.send(Unsubscribe(2, ("#", "a")))
            assert await peer.receive() == UnsubAck(2)
            assert server.deliver(CAM1, "a", b"2") == 0

    run(scenario)


def test_a_bad_or_reserved_filter_is_answered_with_failure() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(max_subscriptions=1)) as (server, _):
            peer = await Peer.connect(server)
            peer.send(Subscribe(1, (("a#", 0), ("$SYS/#", 0), ("ok", 0), ("one/more", 0))))
            assert await peer.receive() == SubAck(1, (0x80, 0x80, 0, 0x80))

    run(scenario)


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (Connect(4, "stranger"), 2),
        (Connect(4, ""), 2),
        (Connect(4, "stranger#1"), 2),
    ],
)
def test_a_stranger_is_refused_with_a_code(packet: Connect, code: int) -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            peer = await Peer.open(server)
            peer.send(packet, Publish("a", b"evil"))
            assert await peer.receive() == ConnAck(code)
            assert await peer.receive() is None
            assert core.messages == []
            assert server.clients() == []

    run(scenario)


def test_mqtt_5_is_refused_with_the_code_for_the_version() -> None:
    async def scenario() -> None:
        async with serving() as (server, _):
            peer = await Peer.open(server)
            body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04cam1"
            peer.writer.write(bytes((0x10, len(body))) + body)
            assert await peer.receive() == ConnAck(1)

    run(scenario)


def test_a_suffix_on_loopback_lets_two_tools_be_one_thing() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            tools = [await Peer.connect(server, f"console#{suffix}") for suffix in ("a", "b")]
            for tool in tools:
                tool.send(Subscribe(1, (("x", 0),)))
                assert await tool.receive() == SubAck(1, (0,))
            assert server.deliver(MEMBERS["console"].thing_arn, "x", b"1") == 2
            tools[0].send(Publish("t", b"1", 1, 1))
            await core.wait_for(1)
            assert core.messages[0][0] == "console"

    run(scenario)


def test_the_same_client_id_takes_over() -> None:
    async def scenario() -> None:
        async with serving() as (server, _):
            old = await Peer.connect(server)
            new = await Peer.connect(server)
            assert await old.receive() is None
            new.send(PingReq())
            assert await new.receive() == PingResp()
            assert [c["client_id"] for c in server.clients()] == ["cam1"]

    run(scenario)


def test_a_will_is_published_when_the_client_vanishes_and_not_when_it_leaves() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            polite = await Peer.connect(server, "cam1", will=Will("gone/cam1", b"bye", 0))
            polite.send(Disconnect())
            assert await polite.receive() is None
            rude = await Peer.connect(server, "cam2", will=Will("gone/cam2", b"bye", 1))
            rude.close()
            await core.wait_for(1)
            assert core.messages == [("cam2", "gone/cam2", b"bye")]

    run(scenario)


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


def test_a_qos_2_publish_is_taken_once_and_its_handshake_completed() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            peer = await Peer.connect(server)
            again = Publish("a", b"x", 2, 7, dup=True)
            peer.send(
                Publish("a", b"x", 2, 7), again, PubRel(7), PubRel(7), Publish("a", b"y", 2, 7)
            )

            expected = [PubRec(7), PubRec(7), PubComp(7), PubComp(7), PubRec(7)]
            assert [await peer.receive() for _ in expected] == expected
            assert [payload for *_, payload in core.messages] == [b"x", b"y"]

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


def test_a_fault_in_the_core_ends_one_connection_and_not_the_server() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            core.messages = None  # type: ignore[assignment]  # the next publish raises
            peer = await Peer.connect(server)
            peer.send(Publish("a", b"x", 1, 1))
            assert await peer.receive() is None
            other = await Peer.connect(server, "cam2")
            other.send(PingReq())
            assert await other.receive() == PingResp()
            await until(lambda: len(server.clients()) == 1)

    run(scenario)
