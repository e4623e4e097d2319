"""Eclipse paho as the device: MQTT 5 or 3.1.1, with everything that it was told kept in order."""

from __future__ import annotations

import json
import queue
import ssl
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from things import Thing

TIMEOUT_S = 20.0


class Client:
    """Connected when it is made, unless refused; `left` has the reason of its end."""

    def __init__(
        self, thing: Thing, *, client_id: str | None = None, v5: bool = True, **options: Any
    ) -> None:
        protocol = paho.MQTTv5 if v5 else paho.MQTTv311
        self.messages: queue.Queue[Any] = queue.Queue()
        self.acks: queue.Queue[tuple[int, int]] = queue.Queue()
        self.subacks: queue.Queue[list[int]] = queue.Queue()
        self.connected: queue.Queue[tuple[int, Any]] = queue.Queue()
        self.left: queue.Queue[int] = queue.Queue()
        self.paho = client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id or thing.name,
            protocol=protocol,
            reconnect_on_failure=False,
            **options,
        )
        client.tls_set(str(thing.ca), str(thing.certificate), str(thing.key),
                       tls_version=ssl.PROTOCOL_TLS_CLIENT)  # fmt: skip
        client.on_connect = lambda c, u, f, reason, p: self.connected.put((reason.value, p))
        client.on_disconnect = lambda c, u, f, reason, p: self.left.put(reason.value)
        client.on_message = lambda c, u, message: self.messages.put(message)
        client.on_publish = lambda c, u, mid, reason, p: self.acks.put((mid, reason.value))
        client.on_subscribe = lambda c, u, mid, reasons, p: self.subacks.put(
            [reason.value for reason in reasons]
        )
        self._port = thing.port

    def open(self, keepalive: int = 60, **options: Any) -> int:
        """The CONNACK's reason, or 255 where the connection was closed without one."""
        self.paho.connect("localhost", self._port, keepalive, **options)
        self.paho.loop_start()
        try:
            reason, self.properties = self.connected.get(timeout=TIMEOUT_S)
        except queue.Empty:
            return 255
        return reason

    def subscribe(self, *filters: str) -> list[int]:
        self.paho.subscribe([(each, 1) for each in filters])
        return self.subacks.get(timeout=TIMEOUT_S)

    def publish(self, topic: str, payload: Any = b"", qos: int = 1) -> int | None:
        """The PUBACK's reason; None for QoS 0."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload)
        sent = self.paho.publish(topic, body, qos)
        while qos:
            mid, reason = self.acks.get(timeout=TIMEOUT_S)
            if mid == sent.mid:
                return reason
        return None

    def message(self, timeout_s: float = TIMEOUT_S) -> tuple[str, Any]:
        found = self.messages.get(timeout=timeout_s)
        try:
            return found.topic, json.loads(found.payload)
        except ValueError:
            return found.topic, found.payload

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def __enter__(self) -> Client:
        assert self.open() == 0
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
