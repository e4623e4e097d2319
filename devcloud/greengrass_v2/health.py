"""Health reports of nuclei, whichever way they are published, reach the deployments they name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from devcloud.greengrass_v2.backends import service_of

_TOPIC = re.compile(r"\$aws/things/(?P<thing>[^/]+)/greengrassv2/health/json\Z")


def install() -> None:
    """Listen where moto's data plane is told of messages: by its API, and by our MQTT server."""
    from moto.iotdata.models import IoTDataPlaneBackend

    for name in ("publish", "ruled_publish"):
        plain = IoTDataPlaneBackend.__dict__.get(name)
        if plain is not None and not hasattr(plain, "hears_health"):
            setattr(IoTDataPlaneBackend, name, _hearing(plain))


def _hearing(plain: Callable[..., Any]) -> Callable[..., Any]:
    def publish(self: Any, topic: str, payload: bytes) -> Any:
        if found := _TOPIC.match(topic):
            _hear(self, found["thing"], payload)
        return plain(self, topic, payload)

    publish.hears_health = True  # type: ignore[attr-defined]
    return publish


def _hear(backend: Any, thing: str, payload: bytes) -> None:
    try:
        report = json.loads(payload)
    except ValueError:
        return
    if isinstance(report, dict):
        service_of(backend.account_id, backend.region_name).health(thing, report)
