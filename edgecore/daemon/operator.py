"""What the page may ask of the core (edgecore.web.dashboard.ports.Actions)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Sequence

from contract.topic_filters import topic_problem
from contract.topics import Topics
from edgecore.core.group import CLOUD, Group
from edgecore.daemon.running_group import RunningGroup
from edgecore.daemon.watch import OPERATOR, Watch
from edgecore.ipc.http1 import MAX_BODY_BYTES
from edgecore.web.access.identity import who
from edgecore.web.dashboard.ports import ActionRefusedError, SiteView


def publisher_of(group: Group, source: str | None) -> str:
    """``cloud``, or the ARN of a device: the one named, else the site's console."""
    if source == CLOUD:
        return CLOUD
    names = [device.thing_name for device in group.devices]
    wanted = source or next((n for n in names if n.endswith("-console")), None)
    if wanted is None:
        raise ActionRefusedError("the group has no console device to publish as")
    if wanted not in names:
        known = ", ".join([CLOUD, *sorted(names)][:8])
        raise ActionRefusedError(f"{wanted!r} is no device of the group; publish as one of {known}")
    return group.devices[names.index(wanted)].thing_arn


class Operator:
    """``running_group``: the one that runs now; a deployment replaces it."""

    def __init__(
        self,
        running_group: Callable[[], RunningGroup | None],
        watch: Watch,
    ) -> None:
        """``watch`` is told of everything that was done."""
        self._running_group = running_group
        self._note = watch.note
        self._caller = watch.notifier

    @property
    def offered(self) -> Collection[str]:
        return ("restart", "drain", "publish", "acknowledge", "test-alerts")

    def _running(self) -> RunningGroup:
        running_group = self._running_group()
        if running_group is None:
            raise ActionRefusedError("a deployment is under way: try again in a moment")
        return running_group

    async def restart(self, function_id: str) -> None:
        if not await self._running().supervisor.restart(function_id):
            raise ActionRefusedError(f"function {function_id!r} is not in the group")
        self._note(function_id, "asked for a restart")

    async def drain(self, on: bool, workers: Sequence[str] | None) -> None:
        """Tell the splitter (docs/spec/messages.md, Control)."""
        site = SiteView.of_group(self._running().group).site
        if not site:
            raise ActionRefusedError("the group has no Fanfold splitter that could drain a worker")
        asked: dict[str, object] = {"v": 1, "drain": on}
        if workers is not None:
            asked["workers"] = list(workers)
        topic = Topics(site).control
        if not await self._send(topic, json.dumps(asked).encode()):
            raise ActionRefusedError(
                f"the group has no subscription for {topic}: render and deploy it again"
            )

        whom = "all workers" if workers is None else ", ".join(workers)
        self._note(whom, "drained" if on else "given work again")

    async def acknowledge(self, alert: str) -> None:
        if not self._caller.acknowledge(alert, who(OPERATOR)):
            raise ActionRefusedError(f"alert {alert!r} is not on: there is nothing to acknowledge")

    async def test_alerts(self) -> dict[str, str]:
        found = await asyncio.to_thread(self._caller.test(who(OPERATOR)))
        if not found:
            raise ActionRefusedError("no way to send alerts: the site file names none (alerts: to)")
        return found

    async def publish(self, topic: str, payload: bytes, source: str | None = None) -> int:
        targets = await self._send(topic, payload, source)
        self._note(topic, f"published {len(payload)} bytes to {targets} target(s)")
        return targets

    async def _send(self, topic: str, payload: bytes, source: str | None = None) -> int:
        running_group = self._running()
        problem = topic_problem(topic)
        if problem:
            raise ActionRefusedError(problem)
        if len(payload) > MAX_BODY_BYTES:
            raise ActionRefusedError(f"payload is {len(payload)} bytes (limit {MAX_BODY_BYTES})")
        arn = publisher_of(running_group.group, source)
        outcome = running_group.router.publish(arn, topic, payload)
        await asyncio.gather(*outcome.pending)
        return outcome.delivered
