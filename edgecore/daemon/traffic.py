"""What passes a running group: its router and its MQTT listeners, for ``/api/status``."""

from __future__ import annotations

import asyncio
from collections import Counter

from contract.status import MqttStatus, RouterStatus
from edgecore.daemon.running_group import RunningGroup


def mqtt_status(running: RunningGroup | None) -> MqttStatus:
    servers = running.mqtt if running is not None else []
    now = asyncio.get_running_loop().time()
    too_large: Counter[str] = sum((server.too_large for server in servers), Counter())
    return {
        "clients": [client for server in servers for client in server.clients()],
        "too_large": dict(too_large),
        "refused_clients": [each for server in servers for each in server.refused.status(now)],
    }


def router_status(running_group: RunningGroup | None) -> RouterStatus:
    if running_group is None:
        return {}
    counters = running_group.router.counters
    return {
        "work_items": running_group.budget.held,
        "limit": running_group.budget.limit,
        "delivered": counters.delivered,
        "refused": counters.refused,
        "unrouted": counters.unrouted,
    }
