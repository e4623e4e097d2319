"""Our uplink against mosquitto with mutual TLS; a third party reads what arrives."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from bad_line import BadLine
from mosquitto import Mosquitto
from own_ca import OwnCa
from paho.mqtt.enums import CallbackAPIVersion
from uplinking import Uplink, run, uplink
from waiting import until

from edgecore.uplink.backoff import Backoff

THING = "hall-core"


@pytest.fixture
def broker(tmp_path: Path, ca: OwnCa) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path, ca).start()
    yield one
    one.stop()


class Reader:
    """Somebody else, with a certificate of their own, who subscribed to everything."""

    def __init__(self, folder: Path, ca: OwnCa, broker: Mosquitto) -> None:
        certificate, key = ca.leaf("reader").write(folder, "reader")
        self.got: list[bytes] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        context.load_cert_chain(certificate, key)
        self._client.tls_set_context(context)
        subscribed: list[bool] = []
        self._client.on_message = lambda _c, _u, m: self.got.append(m.payload)
        self._client.on_subscribe = lambda *_: subscribed.append(True)
        self._client.connect("localhost", broker.port)
        self._client.loop_start()
        self._client.subscribe("#", qos=1)
        self.subscribed = subscribed

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(10)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def reader(tmp_path: Path, ca: OwnCa, broker: Mosquitto) -> Iterator[Reader]:
    one = Reader(tmp_path, ca, broker)
    yield one
    one.stop()


def numbers(reader: Reader) -> list[int]:
    return [int(payload) for payload in reader.got]


def said(core: Uplink) -> str:
    return core.link.problem.message if core.link.problem else ""


def first_arrivals(found: list[int]) -> list[int]:
    return list(dict.fromkeys(found))


def test_what_is_spooled_arrives_in_order_with_nothing_but_a_certificate(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto, reader: Reader
) -> None:
    async def scenario() -> None:
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, broker.port)) as up:
            await until(lambda: reader.subscribed)
            await up.put(500)
            await up.drained()
            await until(lambda: len(reader.got) == 500)
            assert up.link.status()["connected"]
            assert up.spooler.stats()["sent"] == 500

    run(scenario())
    assert numbers(reader) == list(range(500))


def test_a_join_file_that_was_put_right_is_tried_with_at_once(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto
) -> None:
    """However long the core has tried in vain, and waits until it tries again."""
    wrong = ca.join(tmp_path, THING, broker.port, certificate_pem="none", leaf=ca.leaf(THING))

    async def scenario() -> None:
        never = Backoff(base_s=10_000, cap_s=10_000)
        async with uplink(tmp_path / "u", wrong, backoff=never) as up:
            await until(lambda: up.link.problem, "the wrong one is refused")
            ca.join(tmp_path, THING, broker.port)
            await until(lambda: up.link.session, "connected")

    run(scenario())


def test_a_line_that_is_cut_again_and_again_costs_duplicates_of_a_window_and_no_message(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto, reader: Reader
) -> None:
    async def scenario() -> None:
        line = await BadLine(broker.port, delay_s=0.003).start()
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, line.port)) as up:
            await until(lambda: reader.subscribed)
            await up.put(600)
            for _ in range(4):
                already = len(reader.got)
                await until(lambda already=already: len(reader.got) > already + 30)
                line.cut()
            await up.drained()
            await until(lambda: 599 in numbers(reader))
        await line.stop()

    run(scenario())
    found = numbers(reader)
    assert first_arrivals(found) == list(range(600)), "in order, nothing missing"
    assert len(found) - 600 <= 4 * 20, "each cut sends at most a window again"


def test_a_half_open_connection_is_found_by_silence_and_another_one_is_made(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto, reader: Reader
) -> None:
    from edgecore.uplink.iot.window import Window

    async def scenario() -> None:
        line = await BadLine(broker.port).start()
        window = Window(silence_s=0.5)
        join = ca.join(tmp_path, THING, line.port)
        async with uplink(tmp_path / "u", join, window=window) as up:
            await until(lambda: reader.subscribed)
            await up.put(10)
            await up.drained()
            line.silent = True
            await up.put(10, first=10)
            await until(lambda: up.link.problem is not None and up.link.problem.kind == "silence")
            line.silent = False
            await up.drained()
            await until(lambda: 19 in numbers(reader))
        await line.stop()

    run(scenario())
    assert first_arrivals(numbers(reader)) == list(range(20))


def test_a_topic_that_the_policy_forbids_is_set_aside_by_name_and_the_rest_goes_on(
    tmp_path: Path, ca: OwnCa
) -> None:
    acl = f"user {THING}\ntopic write t/#\n\nuser reader\ntopic read #\n"
    broker = Mosquitto(tmp_path, ca, acl=acl).start()
    reader = Reader(tmp_path, ca, broker)

    async def scenario() -> None:
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, broker.port)) as up:
            await until(lambda: reader.subscribed)
            await up.put(5)
            await up.put(3, topic="secret/topic", first=100)
            await up.put(5, first=5)
            await up.drained()
            stats = up.spooler.stats()
            assert stats["dropped_by_reason"] == {"not_authorized": 3}
            refused = up.sink.status()["quarantined"]
            assert refused["topics"] == [
                {"topic": "secret/topic", "reason": "not_authorized", "count": 3}
            ]
            assert up.link.status()["connects"] == 1, "a refusal costs no connection"
            await until(lambda: 9 in numbers(reader))

    try:
        run(scenario())
    finally:
        reader.stop()
        broker.stop()
    assert numbers(reader) == list(range(10))
    kept = (tmp_path / "u/refused/messages-000001.jsonl").read_text()
    assert kept.count("secret/topic") == 3


def test_two_cores_with_one_certificate_both_say_so(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto
) -> None:
    async def scenario() -> None:
        join = ca.join(tmp_path, THING, broker.port)
        async with uplink(tmp_path / "a", join) as one:
            await until(lambda: one.link.session)
            async with uplink(tmp_path / "b", join) as other:
                for core in (one, other):  # mosquitto says no word of a take-over
                    await until(lambda core=core: "same certificate" in said(core))

    run(scenario())


def test_a_broker_that_restarts_is_found_again_and_gets_what_waited(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto
) -> None:
    async def scenario() -> None:
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, broker.port)) as up:
            await until(lambda: up.link.session)
            await asyncio.to_thread(broker.stop)
            await until(lambda: up.link.problem is not None)
            await up.put(50)
            await asyncio.to_thread(broker.start)
            await up.drained()
            assert up.spooler.stats()["sent"] == 50

    run(scenario())
