"""Ports that AWS's MQTT brokers take on a device when they stand in the same deployment. Pure.

Sources: AWS's reference of both components; EMQX's own recipe (its `dockerOptions`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

MOQUETTE = "aws.greengrass.clientdevices.mqtt.Moquette"
EMQX = "aws.greengrass.clientdevices.mqtt.EMQX"
DEFAULT_PORT = 8883
_PUBLISHED = re.compile(r"(?:^|\s)(?:-p|--publish)[\s=]*(?:\S*:)?(\d+):\d+(?:/tcp)?(?=\s|$)")
_LAST_NUMBER = re.compile(r"(\d+)\s*$")


def ports_taken(name: str, merge: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Each port of component `name` with what says so; none where it is no broker."""
    if name == MOQUETTE:
        yield _port_under(merge, "moquette", "ssl_port")
    elif name == EMQX and "dockerOptions" in merge:
        yield from _emqx_in_docker(merge)
    elif name == EMQX:
        yield _port_under(merge, "emqx", "listener.ssl.external")


def _emqx_in_docker(merge: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """From 2.0 on: what Docker publishes; with nothing published, the host's own network."""
    published = _PUBLISHED.findall(str(merge["dockerOptions"]))
    for port in published:
        yield int(port), "its merge: dockerOptions"
    if not published:
        yield _port_under(merge, "emqxConfig", "listeners", "ssl", "default", "bind")


def _port_under(merge: Mapping[str, Any], *keys: str) -> tuple[int, str]:
    """The port under these keys, alone or behind an address; the default where none is."""
    found: Any = merge
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    port = _LAST_NUMBER.search(str(found))
    if port is None:
        return DEFAULT_PORT, "AWS's default"
    return int(port[1]), f"its merge: {'.'.join(keys)}"
