"""Topics that belong to AWS IoT itself: jobs, shadows, Basic Ingest."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from devcloud.iot.connection import Connection
from devcloud.iot.packets import Message
from devcloud.mqtt_topics import RULE_PREFIX

_THING = re.compile(r"\$aws/things/(?P<thing>[^/]+)/(?P<service>jobs|shadow)/(?P<rest>.+)\Z")


class Services:
    """What a client's message on such a topic does; False for all other topics."""

    def __init__(self, region_of: Callable[[str], Any]) -> None:
        """`region_of`: a region's name → `devcloud.iot.cloud.Region`."""
        self._region_of = region_of

    def __call__(self, connection: Connection, message: Message) -> bool:
        if message.topic.startswith(RULE_PREFIX):
            self._ingest(connection, message)
            return True
        found = _THING.match(message.topic)
        if found is None:
            return False
        region = self._region_of(connection.registry.region)
        thing, rest = found["thing"], found["rest"]
        if found["service"] == "shadow":
            return bool(region.shadows.request(thing, rest, message.payload))
        with region.lock:
            topic, answer = region.device_side.handle(thing, rest, message.payload, time.time())
        self._answer(connection, f"$aws/things/{thing}/jobs/{topic}", answer)
        region.notify_devices()
        return True

    def _answer(self, connection: Connection, topic: str, body: dict[str, Any]) -> None:
        """Only to who asked, subscribed or not, past the broker; the policy still decides."""
        if connection.session is not None and connection.receives(topic):
            payload = json.dumps(body, separators=(",", ":")).encode()
            connection.session.put(Message(topic, payload, qos=1))

    def _ingest(self, connection: Connection, message: Message) -> None:
        """Straight to one rule; the PUBACK says nothing of what its actions did."""
        name, _, topic = message.topic.removeprefix(RULE_PREFIX).partition("/")
        self._region_of(connection.registry.region).ingest(name, topic, message.payload)
