"""Health reports of nuclei, whichever way they are published, reach the deployments they name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from devcloud.greengrass_v2.backends import service_of

if TYPE_CHECKING:
    from devcloud.greengrass_v2.service import GreengrassV2
    from devcloud.iot.broker import Broker
    from devcloud.iot.connection import Connection
    from devcloud.iot.packets import Message

_TOPIC = re.compile(r"\$aws/things/(?P<thing>[^/]+)/greengrassv2/health/json\Z")


def install(broker: Broker) -> None:
    """Listen where moto's data plane is told of messages, and where a device's MQTT arrives."""
    broker.handlers.append(_by_mqtt)
    from moto.iotdata.models import IoTDataPlaneBackend

    for name in ("publish", "ruled_publish"):
        plain = IoTDataPlaneBackend.__dict__.get(name)
        if plain is not None and not hasattr(plain, "hears_health"):
            setattr(IoTDataPlaneBackend, name, _hearing(plain))


def _hearing(plain: Callable[..., Any]) -> Callable[..., Any]:
    def publish(self: Any, topic: str, payload: bytes) -> Any:
        if found := _TOPIC.match(topic):
            _hear(service_of(self.account_id, self.region_name), found["thing"], payload)
        return plain(self, topic, payload)

    publish.hears_health = True  # type: ignore[attr-defined]
    return publish


def _by_mqtt(connection: Connection, message: Message) -> bool:
    """The topic is the service's: the message goes to nobody else."""
    found = _TOPIC.match(message.topic)
    if found is not None:
        registry = connection.registry
        _hear(service_of(registry.account, registry.region), found["thing"], message.payload)
    return found is not None


def _hear(service: GreengrassV2, thing: str, payload: bytes) -> None:
    try:
        report = json.loads(payload)
    except ValueError:
        return
    if isinstance(report, dict):
        service.health(thing, report)
