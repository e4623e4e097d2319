"""What the page may ask of the core (edgecore.web.dashboard.ports.Actions)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Sequence

from contract.topic_filters import topic_problem
from contract.topics import Topics
from edgecore.core.group import Group
from edgecore.daemon.engine import Engine
from edgecore.ipc.http1 import MAX_BODY_BYTES
from edgecore.web.dashboard.ports import ActionRefusedError, SiteView


class Operator:
    """``engine``: the one that runs now; a deployment exchanges it."""

    def __init__(self, engine: Callable[[], Engine | None]) -> None:
        self._engine = engine

    @property
    def offered(self) -> Collection[str]:
        return ("restart", "drain", "publish")

    def _running(self) -> Engine:
        engine = self._engine()
        if engine is None:
            raise ActionRefusedError("a deployment is under way: try again in a moment")
        return engine

    async def restart(self, function_id: str) -> None:
        if not await self._running().supervisor.restart(function_id):
            raise ActionRefusedError(f"function {function_id!r} is not in the group")

    async def drain(self, on: bool, workers: Sequence[str] | None) -> None:
        """Tell the splitter (docs/spec/messages.md, Control)."""
        site = site_of(self._running().group).site
        if not site:
            raise ActionRefusedError("the group has no Fanfold splitter that could drain a worker")
        asked: dict[str, object] = {"v": 1, "drain": on}
        if workers is not None:
            asked["workers"] = list(workers)
        topic = Topics(site).control
        if not await self.publish(topic, json.dumps(asked).encode()):
            raise ActionRefusedError(
                f"the group lets nobody publish on {topic}: render and deploy it again"
            )

    async def publish(self, topic: str, payload: bytes) -> int:
        engine = self._running()
        problem = topic_problem(topic)
        if problem:
            raise ActionRefusedError(problem)
        if len(payload) > MAX_BODY_BYTES:
            raise ActionRefusedError(f"payload is {len(payload)} bytes (limit {MAX_BODY_BYTES})")
        devices = engine.group.devices
        console = next((d for d in devices if d.thing_name.endswith("-console")), None)
        if console is None:
            raise ActionRefusedError("the group has no console device to publish as")
        outcome = engine.router.publish(console.thing_arn, topic, payload)
        await asyncio.gather(*outcome.pending)
        return outcome.delivered


def site_of(group: Group) -> SiteView:
    """Where this group keeps things, from its functions' environments."""
    return SiteView.of_environments([f.environment for f in group.lambdas])
