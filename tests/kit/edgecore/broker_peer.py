"""Somebody at the broker who is neither the core nor the cloud: reads, and answers for jobs."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from jobs_cloud import JobsService
from own_ca import OwnCa
from paho.mqtt.enums import CallbackAPIVersion
from waiting import eventually


class Peer:
    """Somebody at the broker: reads everything, and serves jobs where it has a service."""

    def __init__(self, folder: Path, ca: OwnCa, port: int, service: JobsService | None = None):
        self.got: list[tuple[str, bytes]] = []
        self._service = service
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        context = ssl.create_default_context(cadata=ca.pem)
        context.load_cert_chain(*ca.leaf("peer").write(folder, "peer"))
        self._client.tls_set_context(context)
        self._client.on_message = self._arrived
        ready: list[bool] = []
        self._client.on_subscribe = lambda *_: ready.append(True)
        self._client.connect("localhost", port)
        self._client.loop_start()
        self._client.subscribe([("#", 1), ("$aws/things/+/jobs/#", 1)])
        eventually(lambda: ready, "the peer is subscribed")

    def _arrived(self, _client: Any, _userdata: Any, message: Any) -> None:
        self.got.append((message.topic, message.payload))
        operation = message.topic.partition("/jobs/")[2]
        answers = operation.endswith(("/accepted", "/rejected", "notify-next"))
        if self._service is not None and operation and not answers:
            end, answer = self._service.answer(operation, json.loads(message.payload))
            self.publish(f"{message.topic}/{end}", answer)

    def publish(self, topic: str, content: Any) -> None:
        self._client.publish(topic, json.dumps(content), qos=1)

    def payloads(self, topic: str) -> list[Any]:
        return [json.loads(payload) for name, payload in self.got if name == topic]

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
