"""What AWS IoT does and no ordinary broker: silence, ends without a word, take-overs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from bad_line import BadLine
from own_ca import OwnCa
from scripted_broker import ACCEPT, CLOSE, DROP, ScriptedBroker
from uplinking import Uplink, run, uplink
from waiting import until

from edgecore.uplink.iot.pacing import Pace
from edgecore.uplink.iot.window import Window

THING = "hall-core"


async def broker_of(folder: Path, ca: OwnCa, on_publish) -> ScriptedBroker:
    return await ScriptedBroker(folder, ca, on_publish).start()


def numbers(broker: ScriptedBroker) -> list[int]:
    return list(dict.fromkeys(int(payload) for _, payload in broker.received))


def test_a_publish_that_is_throttled_in_silence_is_sent_again_on_another_connection(
    tmp_path: Path, ca: OwnCa
) -> None:
    swallowed: list[bytes] = []

    def on_publish(_topic: str, payload: bytes) -> int | str:
        if int(payload) in (7, 30) and payload not in swallowed:
            swallowed.append(payload)
            return DROP
        return ACCEPT

    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, on_publish)
        window = Window(overtaken_s=0.2)
        join = ca.join(tmp_path, THING, broker.port)
        async with uplink(tmp_path / "u", join, window=window) as up:
            await up.put(60)
            await up.drained()
        assert len(swallowed) == 2
        assert broker.connections in (2, 3)
        assert sorted(numbers(broker)) == list(range(60)), "none is missing"
        await broker.stop()

    run(scenario())


def test_a_broker_that_never_acknowledges_is_given_up_and_said(tmp_path: Path, ca: OwnCa) -> None:
    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, lambda *_: DROP)
        window = Window(silence_s=0.2)
        join = ca.join(tmp_path, THING, broker.port)
        async with uplink(tmp_path / "u", join, window=window) as up:
            await up.put(5)
            await until(lambda: broker.connections >= 3)
            assert up.link.problem is not None
            assert "did not acknowledge" in up.link.problem.message
            assert up.spooler.stats()["spooled"] == 5, "nothing is lost and nothing condemned"
        await broker.stop()

    run(scenario())


def test_a_topic_over_which_the_connection_is_ended_is_found_and_dropped_by_name(
    tmp_path: Path, ca: OwnCa
) -> None:
    def on_publish(topic: str, _payload: bytes) -> int | str:
        return CLOSE if topic == "bad/topic" else ACCEPT

    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, on_publish)
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, broker.port)) as up:
            await up.put(10)
            await up.put(30, topic="bad/topic", first=1000)
            await up.put(30, first=10)
            await up.drained()
            assert up.spooler.stats()["dropped_by_reason"] == {"ends_connection": 30}
            assert up.sink.status()["forbidden_topics"] == ["bad/topic"]
            assert broker.connections <= 6, "the topic is proved once, not for each message"
        assert numbers(broker) == list(range(40)), "the others arrived in order"
        await broker.stop()

    run(scenario())


def test_a_server_that_shuts_down_condemns_nobody(tmp_path: Path, ca: OwnCa) -> None:
    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, lambda *_: CLOSE)
        broker.goodbye = bytes([0xE0, 1, 0x8B])
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, broker.port)) as up:
            await up.put(3)
            await until(lambda: broker.connections >= 6)
            assert up.spooler.stats()["dropped"] == 0
            assert up.spooler.stats()["spooled"] == 3
        await broker.stop()

    run(scenario())


def test_a_session_taken_over_is_said_with_the_remedy(tmp_path: Path, ca: OwnCa) -> None:
    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, lambda *_: CLOSE)
        broker.goodbye = bytes([0xE0, 1, 0x8E])
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, broker.port)) as up:
            await up.put(1)
            await until(lambda: up.link.status()["taken_over"])
            assert up.link.problem is not None
            assert "two cores use one certificate" in up.link.problem.message
        await broker.stop()

    run(scenario())


@pytest.mark.parametrize("code", [0x80, 0x83, 0x97])
def test_a_puback_that_says_not_now_is_tried_again(tmp_path: Path, ca: OwnCa, code: int) -> None:
    refusals = iter([code, code])

    def on_publish(_topic: str, payload: bytes) -> int | str:
        return next(refusals, ACCEPT) if int(payload) == 3 else ACCEPT

    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, on_publish)
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, broker.port)) as up:
            await up.put(10)
            await up.drained()
            assert up.spooler.stats()["sent"] == 10
        await broker.stop()

    run(scenario())


@pytest.mark.parametrize("code", [0x87, 0x90, 0x99])
def test_a_puback_that_says_never_costs_that_message_alone(
    tmp_path: Path, ca: OwnCa, code: int
) -> None:
    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, lambda _t, p: code if int(p) == 3 else ACCEPT)
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, broker.port)) as up:
            await up.put(10)
            await up.drained()
            assert up.spooler.stats()["sent"] == 9
            assert up.sink.status()["quarantined"]["count"] == 1
            assert broker.connections == 1
            assert len(broker.received) == 10, "the refused one came once"
        await broker.stop()

    run(scenario())


def test_a_proxy_that_drops_idle_connections_costs_no_message(tmp_path: Path, ca: OwnCa) -> None:
    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, lambda *_: ACCEPT)
        line = await BadLine(broker.port, idle_s=0.3).start()
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, line.port)) as up:
            for turn in range(3):
                await until(lambda turn=turn: line.connections > turn and up.link.session)
                await up.put(5, first=5 * turn)
                await up.drained()
        assert numbers(broker) == list(range(15))
        await line.stop()
        await broker.stop()

    run(scenario())


class Recorded(Pace):
    """When each message was sent, by the clock of who sends: arrivals bunch on a busy machine."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def sent(self, now: float, size_bytes: int) -> None:
        self.times.append(now)
        super().sent(now, size_bytes)


def test_publishes_keep_below_the_rate_that_aws_allows(tmp_path: Path, ca: OwnCa) -> None:
    pace = Recorded()

    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, lambda *_: ACCEPT)
        join = ca.join(tmp_path, THING, broker.port)
        async with uplink(tmp_path / "u", join, pace=pace) as up:
            await up.put(250)
            await up.drained()
        await broker.stop()

    run(scenario())
    assert len(pace.times) == 250
    assert max(sum(t <= other < t + 1.0 for other in pace.times) for t in pace.times) <= 100


def test_the_servers_receive_maximum_is_kept(tmp_path: Path, ca: OwnCa) -> None:
    waiting: list[Uplink] = []
    most: list[int] = []

    def on_publish(*_: object) -> int:
        most.append(waiting[0].sink.status()["in_flight"])
        return ACCEPT

    async def scenario() -> None:
        broker = await broker_of(tmp_path, ca, on_publish)
        broker.receive_maximum = 7
        line = await BadLine(broker.port, delay_s=0.01).start()
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, line.port)) as up:
            waiting.append(up)
            await up.put(50)
            await up.drained()
        await line.stop()
        await broker.stop()

    run(scenario())
    assert max(most) == 3, "7 less the 4 that are for shadows and jobs"


def test_the_core_ends_at_once_while_it_connects_to_nobody(tmp_path: Path, ca: OwnCa) -> None:
    async def scenario() -> None:
        async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                writer.close()

        silent = await asyncio.start_server(hold, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, port)) as up:
            await up.put(1)
            await asyncio.sleep(0)
        silent.close()

    began = time.monotonic()
    run(scenario())
    assert time.monotonic() - began < 8, "less than the time-out of a connection"
