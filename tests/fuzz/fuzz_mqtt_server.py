"""A real MQTT endpoint as a process of its own, with room for a fuzzer's pace.

Prints its port, then one line of JSON for every line on stdin: its counters and clients.
Whatever a device publishes is delivered to every device that subscribed, and kept nowhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from edgecore.core.group import Thing
from edgecore.mqtt.limits import Limits
from edgecore.mqtt.server import MqttServer


def _thing(name: str) -> Thing:
    arn = f"arn:aws:iot:us-east-1:123456789012:thing/{name}"
    return Thing(id=name, thing_name=name, thing_arn=arn, certificate_arn=arn.replace("g/", "t/"))


async def main() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    members = {name: _thing(name) for name in ("cam1", "cam2", "honest", "console")}
    taken = 0

    async def publish(sender: Thing, topic: str, payload: bytes) -> bool:
        nonlocal taken
        taken += 1
        for member in members.values():
            server.deliver(member.thing_arn, topic, payload)
        return True

    limits = Limits(connects_per_s=1e9, connect_burst=1_000_000)
    server = MqttServer(
        host="127.0.0.1", port=0, tls=None, members=members, on_publish=publish, limits=limits
    )
    await server.start()
    say = sys.stdout
    say.write(f"{server.port}\n")
    say.flush()
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        facts = {"taken": taken, "clients": len(server.clients()), "tasks": len(server._tasks)}
        say.write(json.dumps({**server.counters, **facts}) + "\n")
        say.flush()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
