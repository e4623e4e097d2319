"""A core that only spools: one device, one way to the cloud, no functions."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from chaos_core import CoreProcess
from chaos_site import NAME, make_document, make_model
from paho.mqtt.enums import CallbackAPIVersion

TOPIC = f"{NAME}/up"
IN_FLIGHT = 200


def uplink(folder: Path) -> CoreProcess:
    """Messages of the console on TOPIC go to the cloud; the spool is Fanfold's default."""
    document = make_document(folder, make_model(folder / "model.tar.gz"), {})
    console = next(d for d in document["Devices"] if d["Id"] == "console")
    document["Functions"] = [f for f in document["Functions"] if f["Id"] == "cloud-spooler"]
    document["Lambdas"], document["Resources"] = {}, []
    document["Subscriptions"] = [
        {"Id": "up", "Source": console["ThingArn"], "Subject": TOPIC, "Target": "cloud"}
    ]
    path = folder / "uplink.json"
    path.write_text(json.dumps(document))
    return CoreProcess(folder / "core", str(path), folder / "core.out")


def publish(core: CoreProcess, first: int, count: int, size_bytes: int, deadline_s: float) -> None:
    """Numbered messages with QoS 1, until the core has confirmed each."""
    running = core.running()
    assert running is not None
    free, done = threading.Semaphore(IN_FLIGHT), threading.Semaphore(0)
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=f"{running.info['thing']}-console#{os.getpid()}"
    )
    client.max_inflight_messages_set(IN_FLIGHT)

    def confirmed(*_: Any) -> None:
        free.release()
        done.release()

    client.on_publish = confirmed
    client.connect("127.0.0.1", running.port("mqtt_plain") or 0)
    client.loop_start()
    end = time.monotonic() + deadline_s
    try:
        for n in range(first, first + count):
            assert free.acquire(timeout=30), f"message {n} waits for a confirmation"
            body = json.dumps({"n": n, "filler": ""})
            client.publish(TOPIC, body[:-2] + "x" * (size_bytes - len(body)) + body[-2:], qos=1)
        for _ in range(count):
            assert done.acquire(timeout=max(0.1, end - time.monotonic()))
    finally:
        client.disconnect()
        client.loop_stop()


def numbers(core: CoreProcess) -> list[int]:
    """What the local cloud has, in order."""
    found = []
    for path in sorted((core.state / "cloud").glob("*.jsonl")):
        with path.open("rb") as lines:
            found += [json.loads(line)["payload"]["n"] for line in lines]
    return found
