"""Anything at all may be sent to the MQTT endpoint: nobody else notices, and nothing stays.

The server is a process of its own, so its log and its memory are its own as well.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from fuzz_kit import DEADLINE_S, damaged, open_files, pour, resident_bytes
from waiting import eventually

from edgecore.mqtt.encoder import encode
from edgecore.mqtt.packets import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Unsubscribe,
    Will,
)

ROOT = Path(__file__).parents[2]
SOUND = ("cam1/a", "t", "a/b/c/d/e/f/g/h", "x" * 256, "é/ß", "$aws/things/cam1/shadow/get")
ODD = ("a/b/c/d/e/f/g/h/i", "$SYS/x", "x" * 257, "+", "a/#", "#", "", "a/#/b", "$aws/things/x/y")
MAX_GROWTH_BYTES = 20 << 20


class Server:
    def __init__(self, log: Path) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fuzz_mqtt_server.py"))],
            cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"),
        )  # fmt: skip
        self.port = int(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def facts(self) -> dict[str, int]:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self._line())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path / "server.log")
    yield one
    one.process.communicate()
    assert one.process.returncode == 0


class Honest:
    """A paho client that sees its own messages come back, before, during and after."""

    def __init__(self, port: int) -> None:
        self.got: list[bytes] = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="honest")
        self.client.on_message = lambda _client, _data, message: self.got.append(message.payload)
        self.client.connect("127.0.0.1", port, keepalive=60)
        self.client.loop_start()
        eventually(self.client.is_connected, "connected")
        self.client.subscribe("honest/#")
        self.sent = 0

    def turn(self) -> None:
        """One QoS 1 message out, acknowledged, and back."""
        self.sent += 1
        payload = b"%d" % self.sent
        self.client.publish("honest/x", payload, qos=1).wait_for_publish(DEADLINE_S)
        eventually(lambda: self.got and self.got[-1] == payload, f"message {self.sent} is back")

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def session(chance: random.Random) -> list[Packet]:
    """A conversation as a device might have it, with something odd in it now and then."""
    name = chance.choice(("cam1", "cam1", "cam2", "cam1#tool", "stranger", "", "x" * 200))
    will = Will(_topic(chance), chance.randbytes(9), chance.randrange(2))
    packets: list[Packet] = [
        Connect(4, name, chance.choice((0, 1, 60, 65535)), True, chance.choice((None, will)))
    ]
    for _ in range(chance.randint(0, 30)):
        number = chance.randint(1, 65535)
        if chance.random() < 0.03:
            packets.append(
                chance.choice((packets[0], ConnAck(0), SubAck(number, (0,)), Disconnect()))
            )
            continue
        size = chance.choice((0, 1, 9, 500, 4000)) if chance.random() < 0.99 else 131_073
        qos = chance.randrange(2)
        publish = Publish(
            _topic(chance), bytes(size), qos, number if qos else 0, dup=chance.random() < 0.1
        )
        filters = [_topic(chance) for _ in range(chance.randint(1, 8))]
        subscribe = Subscribe(number, tuple((one, chance.randrange(3)) for one in filters))
        calm = (PingReq(), PubAck(number), Unsubscribe(number, tuple(filters)))
        packets.append(chance.choice((publish, publish, publish, subscribe, *calm)))
    return packets


def _topic(chance: random.Random) -> str:
    return chance.choice(ODD if chance.random() < 0.02 else SOUND)


def wire(chance: random.Random, packets: list[Packet]) -> bytes:
    raw = [encode(packet) for packet in packets]
    match chance.randrange(5):
        case 0:
            return b"".join(raw)
        case 1:
            # All but the first: what comes after an accepted CONNECT gets further.
            return raw[0] + damaged(chance, b"".join(raw[1:]))
        case 2:
            chance.shuffle(raw)
            return b"".join(raw)
        case 3:
            return damaged(chance, b"".join(raw))
        case _:
            return raw[0] * chance.randrange(2) + chance.randbytes(chance.randint(1, 300))


@pytest.mark.parametrize(
    "packets",
    [4_000, pytest.param(200_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])],
)
def test_random_and_damaged_sessions_disturb_nobody(server: Server, packets: int) -> None:
    chance, sent, sessions = random.Random(20261125), 0, 0
    honest = Honest(server.port)
    honest.turn()
    before, files = 0, open_files(server.process.pid)
    while sent < packets:
        one = session(chance)
        sent, sessions = sent + len(one), sessions + 1
        pour(chance, server.port, wire(chance, one))
        if sessions % 50 == 0:
            honest.turn()
        if not before and sent > packets // 5:
            before = resident_bytes(server.process.pid)  # caches and buffers have their size
    eventually(lambda: server.facts()["clients"] == 1, "only the honest client is left")
    eventually(lambda: open_files(server.process.pid) <= files, "every descriptor is closed")
    honest.turn()
    growth = resident_bytes(server.process.pid) - before
    facts = server.facts()
    honest.close()
    print(f"{sent} packets in {sessions} sessions; RSS grew by {growth / 1024:.0f} KiB; {facts}")

    assert server.log.read_text().count("Traceback") == 0
    assert growth <= MAX_GROWTH_BYTES
    assert facts["protocol_errors"] > sessions // 20, "the damage was noticed"
    assert facts["taken"] > packets // 50, "and not everything was refused at the door"


@pytest.mark.parametrize(("size", "taken"), [(131_072, True), (131_073, False)])
@pytest.mark.parametrize("qos", [0, 1])
def test_the_limit_of_a_payload_is_exact_on_the_wire(server, size, taken, qos) -> None:
    begin, large = Connect(4, "cam1"), Publish("cam1/x", bytes(size), qos, qos)
    got = pour(Closing(), server.port, encode(begin) + encode(large) + encode(PingReq()))
    answers = [ConnAck(0), *([PubAck(1)] if qos else []), "pong"]
    expected = b"".join(b"\xd0\0" if a == "pong" else encode(a) for a in answers)
    facts = server.facts()
    assert facts["taken"] == int(taken)
    assert facts.get("too_large", 0) == int(not taken)
    assert facts.get("protocol_errors", 0) == 0
    assert got == expected, "who sends too much is told so on `rejected`, and stays connected"


class Closing(random.Random):
    """Always all at once, then half closed, so that the answers can be read."""

    def choice(self, options):
        return options[0]

    def randrange(self, *_):
        return 1
