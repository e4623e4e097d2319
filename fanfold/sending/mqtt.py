"""The console on the local broker: who `send` and `results` are.

A group holds a device `{core thing}-console` for this (docs/spec/messages.md). On the plain
loopback listener several tools can be it at once: client id `{thing}#{anything}`.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import socket
import time
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from fanfold.common.errors import MISSING, REFUSED, UserError
from fanfold.localcore.running import RunningCore

CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes

    def json(self) -> dict[str, Any]:
        """The payload as an object; an empty one when it is not JSON."""
        try:
            value = json.loads(self.payload)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Console:
    """A connection as the console; messages of its subscriptions wait in `inbox`.

    Use it as a context manager. Raises UserError when the core has no plain listener, is
    not there, or refuses the console (exit codes 3, 3 and 4).
    """

    def __init__(self, core: RunningCore, filters: list[str]) -> None:
        self.thing = f"{core.info['thing']}-console"
        self.inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._filters = filters
        self._port = core.port("mqtt_plain")
        self._ready: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._client = self._make_client()

    def _make_client(self) -> paho.Client:
        suffix = f"{os.getpid()}-{secrets.token_hex(2)}"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{self.thing}#{suffix}",
            protocol=paho.MQTTv311,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._ready.put(None)
        client.on_message = lambda _c, _u, m: self.inbox.put(Message(m.topic, bytes(m.payload)))
        client.on_socket_open = _no_delay
        return client

    def __enter__(self) -> Console:
        if self._port is None:
            raise UserError(
                "the core accepts only clients with certificates; restart it with "
                "--mqtt-plain-port "
                "to use send and results on this machine",
                MISSING,
            )
        try:
            self._client.connect("127.0.0.1", self._port, keepalive=30)
        except OSError as error:
            raise UserError(f"no broker on 127.0.0.1:{self._port}: {error}", MISSING) from error
        self._client.loop_start()
        self._await_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        """paho's client keeps two sockets until it is freed, and its callbacks lead back here:
        without this a process that opens five hundred has none below 1,024 left for `select`."""
        client = self._client
        client.disconnect()
        client.loop_stop()
        client.on_connect = client.on_subscribe = client.on_message = None
        del self._client

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message to the connection, QoS 1."""
        self._client.publish(topic, payload, qos=1)

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None when there is none in time."""
        try:
            return self.inbox.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None

    def _on_connect(
        self, client: paho.Client, _user: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._ready.put(str(reason))
        elif self._filters:
            client.subscribe([(topic, 0) for topic in self._filters])
        else:
            self._ready.put(None)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        try:
            refusal = self._ready.get(timeout=deadline - time.monotonic())
        except queue.Empty:
            refusal = f"no answer in {CONNECT_TIMEOUT_S} s"
        if refusal:
            self._leave()
            raise UserError(
                f"the core refused {self.thing}: {refusal}. Is it a device of the group?", REFUSED
            )


def _no_delay(_client: Any, _user: Any, sock: Any) -> None:
    """Without it, Nagle and delayed ACK cost 44 ms per QoS 1 message."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
