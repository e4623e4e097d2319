"""The running data plane: one broker, and per region jobs, shadows and rules."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from devcloud.auth.keys import ACCOUNT
from devcloud.iot.authority import Authority
from devcloud.iot.broker import Broker
from devcloud.iot.connection import Connection
from devcloud.iot.jobs.device import DeviceSide
from devcloud.iot.jobs.engine import Engine
from devcloud.iot.jobs.model import Execution
from devcloud.iot.packets import Message
from devcloud.iot.presign import fill
from devcloud.iot.registry import Peer, Registry
from devcloud.iot.services import Services
from devcloud.iot.settings import Settings
from devcloud.iot.shadows.service import Shadows

log = logging.getLogger("devcloud")

TICK_S = 0.1
Answer = Callable[[Registry, Peer, str, str, bytes], dict[str, Any]]
"""Of a service on the same port: registry, certificate, method, path, body to the answer's body."""
GROUP = ":thinggroup/"


class Region:
    """What a region keeps beside moto's registry; `lock` guards the jobs."""

    def __init__(self, cloud: IotCloud, name: str) -> None:
        from moto.iot.models import iot_backends

        self._cloud = cloud
        self.registry = Registry(iot_backends[ACCOUNT][name])
        self.lock = threading.RLock()
        self.engine = Engine(self._members, cloud.broker.settings.minute_s)
        self.device_side = DeviceSide(self.engine, self._document)
        self.shadows = Shadows(self._publish)

    def notify_devices(self) -> None:
        """Notifications of whatever has changed; from any thread."""
        with self.lock:
            notices = self.device_side.notices(time.time())
        for topic, body in notices:
            self._publish(topic, body)

    def tick(self) -> None:
        with self.lock:
            self.engine.tick(time.time())
        self.notify_devices()

    def ingest(self, rule: str, topic: str, payload: bytes) -> None:
        """Basic Ingest: to that rule alone; an unknown one swallows the message."""
        from devcloud.plugin.topic_rules import run_named

        if not run_named(self._data(), rule, topic, payload):
            log.warning("Basic Ingest: there is no rule %s (RuleNotFound); message lost", rule)

    def message(self, message: Message) -> None:
        """An ordinary message of a device: recorded, and seen by the rules."""
        self._data().ruled_publish(message.topic, message.payload)

    def _data(self) -> Any:
        from moto.iotdata.models import iotdata_backends

        return iotdata_backends[ACCOUNT][self.registry.region]

    def _members(self, target: str) -> list[str]:
        if GROUP in target:
            return self.registry.members(target)
        return [target.rpartition("/")[2]]

    def _document(self, execution: Execution) -> str:
        job = self.engine.jobs[execution.job_id]
        return fill(job.document, self.registry, job.presign, self._cloud.endpoint_url)

    def _publish(self, topic: str, body: dict[str, Any]) -> None:
        payload = json.dumps(body, separators=(",", ":")).encode()
        self._cloud.broker.route_threadsafe(Message(topic, payload, qos=1))


class IotCloud:
    """Everything behind the endpoint's port."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, authority: Authority, endpoint_url: str
    ) -> None:
        self.loop, self.authority, self.endpoint_url = loop, authority, endpoint_url
        self.broker = Broker(loop)
        self.port = 0
        self.paths: dict[str, Answer] = {}
        self._regions: dict[str, Region] = {}
        self._lock = threading.Lock()
        self.broker.handlers.append(Services(self.region))
        self.broker.on_message = self._ordinary

    def region(self, name: str) -> Region:
        with self._lock:
            if name not in self._regions:
                self._regions[name] = Region(self, name)
            return self._regions[name]

    def set(self, settings: Settings) -> None:
        self.broker.settings = settings
        for region in list(self._regions.values()):
            region.engine.minute_s = settings.minute_s

    def _ordinary(self, connection: Connection, message: Message) -> None:
        self.region(connection.registry.region).message(message)

    async def keep_time(self) -> None:
        """Rollouts and time-outs, for ever."""
        while True:
            await asyncio.sleep(TICK_S)
            for region in list(self._regions.values()):
                try:
                    region.tick()
                except Exception:
                    log.exception("jobs of region %s", region.registry.region)
