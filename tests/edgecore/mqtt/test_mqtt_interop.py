"""The clients people have: paho and mosquitto, over mutual TLS and plain."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import threading
from pathlib import Path

import certificates
import paho.mqtt.client as paho
import pytest
from mqtt_peer import DEADLINE_S, MEMBERS, serving, thing

from edgecore.mqtt import ca
from edgecore.mqtt.tls import server_context

needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto_pub") is None, reason="mosquitto_pub is not installed"
)


class PahoClient:
    def __init__(self, client_id: str, context: ssl.SSLContext | None = None) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.ready = threading.Event()
        self.arrived = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id)
        if context is not None:
            self.client.tls_set_context(context)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = self._message

    def _message(self, _client, _userdata, message) -> None:
        self.received.append((message.topic, message.payload))
        self.arrived.set()

    def start(self, port: int, subscribe: str) -> None:
        self.client.on_connect = lambda *_: self.client.subscribe(subscribe, qos=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(DEADLINE_S)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


async def _paho_round_trip(server, core, client: PahoClient, name: str) -> None:
    await asyncio.to_thread(client.start, server.port, "down/#")
    try:
        for number in range(200):
            client.client.publish("up/x", b"%d" % number, qos=1)
        info = client.client.publish("up/last", b"end", qos=1)
        await asyncio.to_thread(info.wait_for_publish, DEADLINE_S)
        assert info.is_published()
        assert [p for *_, p in core.messages] == [b"%d" % n for n in range(200)] + [b"end"]
        assert server.deliver(f"{MEMBERS['cam1'].thing_arn[:-4]}{name}", "down/y", b"hello") == 1
        assert await asyncio.to_thread(client.arrived.wait, DEADLINE_S)
        assert client.received == [("down/y", b"hello")]
    finally:
        await asyncio.to_thread(client.stop)


def test_paho_publishes_in_order_and_receives_in_plain_text() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            await _paho_round_trip(server, core, PahoClient("cam1"), "cam1")

    asyncio.run(scenario())


def test_paho_publishes_in_order_and_receives_over_mutual_tls(tmp_path: Path) -> None:
    device = certificates.make(tmp_path, "cam1")
    members = {"cam1": thing("cam1", device.pem, device.id)}
    identity = ca.ensure(tmp_path / "ca", names=["127.0.0.1"])
    tls = server_context(
        certificate=identity.certificate, key=identity.key, members=members.values()
    )

    async def scenario() -> None:
        async with serving(tls=tls, members=members) as (server, core):
            client = PahoClient("cam1", certificates.client_context(identity.ca, device))
            await _paho_round_trip(server, core, client, "cam1")

    asyncio.run(scenario())


@pytest.mark.parametrize("qos", [1, 2])
def test_paho_gets_rid_of_what_is_too_large_hears_why_and_stays_connected(qos: int) -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            client = PahoClient("cam1")
            lost: list[object] = []
            client.client.on_disconnect = lambda *_: lost.append(1)
            await asyncio.to_thread(client.start, server.port, "up/rejected")
            for payload in (bytes(400_000), b"small"):
                info = client.client.publish("up", payload, qos=qos)
                await asyncio.to_thread(info.wait_for_publish, DEADLINE_S)
                assert info.is_published()
            assert await asyncio.to_thread(client.arrived.wait, DEADLINE_S)

            assert lost == []
            assert b"too_large" in client.received[0][1]
            assert [payload for *_, payload in core.messages] == [b"small"]
            await asyncio.to_thread(client.stop)

    asyncio.run(scenario())


@needs_mosquitto
def test_mosquitto_pub_and_sub_exchange_a_message() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            common = ["-h", "127.0.0.1", "-p", str(server.port), "-q", "1"]
            sub = await asyncio.create_subprocess_exec(
                "mosquitto_sub", *common, "-i", "cam2", "-t", "down/+", "-C", "1",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            async with asyncio.timeout(DEADLINE_S):
                while not server.deliver(MEMBERS["cam2"].thing_arn, "down/a", b"hi"):
                    await asyncio.sleep(0.02)
                out, _ = await sub.communicate()
            assert out == b"hi\n"
            pub = await asyncio.create_subprocess_exec(
                "mosquitto_pub", *common, "-i", "cam1", "-t", "up/b", "-m", "there"
            )
            assert await asyncio.wait_for(pub.wait(), DEADLINE_S) == 0
            assert ("cam1", "up/b", b"there") in core.messages

    asyncio.run(scenario())


@needs_mosquitto
def test_mosquitto_pub_is_told_that_it_is_a_stranger() -> None:
    async def scenario() -> None:
        async with serving() as (server, core):
            pub = await asyncio.create_subprocess_exec(
                "mosquitto_pub", "-h", "127.0.0.1", "-p", str(server.port), "-i", "x",
                "-t", "a", "-m", "b", stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            _, errors = await asyncio.wait_for(pub.communicate(), DEADLINE_S)
            assert pub.returncode
            assert b"identifier rejected" in errors
            assert core.messages == []

    asyncio.run(scenario())
