"""The endpoint over real sockets, spoken to packet by packet."""

from __future__ import annotations

import asyncio

import pytest
from mqtt_peer import MEMBERS, Peer, serving
from mqtt_scenario import CAM1, CAM2, run
from waiting import until

from edgecore.mqtt.limits import Limits
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


def test_what_was_taken_before_a_client_breaks_a_rule_is_acknowledged() -> None:
    """In one packet with it; else the client would send it again."""

    async def scenario() -> None:
        async with serving() as (server, _):
            peer = await Peer.connect(server)
            peer.send(Publish("a", b"1", 1, 7), Publish("a/#", b"2", 1, 8))

            assert await peer.receive() == PubAck(7)
            assert await peer.receive() is None

    run(scenario)


def test_nothing_is_written_to_a_client_that_has_vanished(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Answers stream to it until its end is noticed: asyncio would complain of each."""

    async def scenario() -> None:
        async with serving() as (server, _):
            peer = await Peer.connect(server)
            peer.send(Subscribe(1, (("a", 0),)))
            await peer.receive()
            peer.writer.transport.abort()
            reached = 0
            for _ in range(100):
                await asyncio.sleep(0)  # what a turn of the loop delivers leaves with the next one
                reached += server.deliver(CAM1, "a", b"x")

        assert reached < 100
        assert [r.getMessage() for r in caplog.records if r.name == "asyncio"] == []

    run(scenario)
