"""A function that stands still at full input: the queue keeps its limit and the sender waits."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import Any

from core_site import ACCOUNT, DEADLINE_S
from waiting import eventually

from edgecore.mqtt.decoder import Decoder
from edgecore.mqtt.encoder import encode
from edgecore.mqtt.packets import ConnAck, Connect, PubAck, Publish

LIMIT = 1024
MESSAGES = 3_000
CAMERA = f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/cam1"
WAITS_FOR_A_FILE = """
import os, time
def handler(event, context):
    while not os.path.exists(os.environ["GO"]):
        time.sleep(0.05)
"""


def rss_kb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


class Camera:
    """Sends without waiting for answers, as fast as the core reads; counts what it promised."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.acknowledged = self.sent = 0
        self._decoder = Decoder()
        self.socket.sendall(encode(Connect(4, "cam1")))
        for call in (self._listen, self._send):
            threading.Thread(target=call, daemon=True).start()

    def _send(self) -> None:
        for number in range(1, MESSAGES + 1):
            self.socket.sendall(encode(Publish("cam1/image", b"x" * 8000, 1, number)))
            self.sent = number

    def _listen(self) -> None:
        while data := self._received():
            for packet in self._decoder.feed(data):
                assert packet in (ConnAck(0), PubAck(self.acknowledged + 1))
                self.acknowledged += isinstance(packet, PubAck)

    def _received(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            return self.socket.recv(65536)
        return b""


def test_a_sender_waits_while_the_queue_is_full_and_nothing_is_lost(site: Any) -> None:
    go = site.folder / "go"
    options = {"Timeout": 600, "EncodingType": "binary", "variables": {"GO": str(go)}}
    site.function("slow", WAITS_FOR_A_FILE, **options)
    device = {"Id": "cam1", "ThingName": "cam1", "ThingArn": CAMERA, "SyncShadow": False}
    device["CertificateArn"] = f"arn:aws:iot:us-east-1:{ACCOUNT}:cert/" + "1" * 64
    site.document["Devices"].append(device)
    site.connect(CAMERA, "cam1/image", "slow")
    site.start("--mqtt-plain-port", "0")
    port = json.loads((site.state / "core.json").read_text())["ports"]["mqtt_plain"]
    before = rss_kb(site.process.pid)
    camera = Camera(port)
    eventually(lambda: site.status()["router"]["work_items"] == LIMIT, "a full queue")
    eventually(lambda: camera.acknowledged == LIMIT, "a promise for each that is in it")
    assert camera.sent < MESSAGES, "the sender stands still as well"
    assert site.of("slow")["queue"] <= LIMIT
    assert rss_kb(site.process.pid) - before < 60_000
    reasons = [r["problem"] for r in site.status()["verdict"]["reasons"]]
    assert any("queue is full" in problem for problem in reasons)
    assert camera.acknowledged == LIMIT

    go.touch()
    eventually(lambda: camera.acknowledged == MESSAGES, "all acknowledged", 2 * DEADLINE_S)
    eventually(lambda: site.of("slow")["invocations"] == MESSAGES, "each handled once")
    eventually(lambda: site.status()["router"]["work_items"] == 0, "the queue drained")
