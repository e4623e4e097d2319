"""A canary's workers, run as a group of their own: nobody listens, and nobody is listened to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from contract.status import FunctionStatus
from edgecore.canary import Canaries, Parts, ReportStore
from edgecore.canary.mirror import Differ
from edgecore.core.group import Group
from edgecore.core.observers import Observers
from edgecore.core.options import Options
from edgecore.core.router import Target
from edgecore.daemon.running_group import RunningGroup

MakeLane = Callable[[Group, Mapping[str, Target]], RunningGroup]
"""A group that is to run beside the one that serves, with further targets of its messages."""


def canaries(
    options: Options, observers: Observers, make_lane: MakeLane, differ: Differ
) -> Canaries:
    """The core's; ``observers``: of the group that serves; ``differ``: told of disagreements."""

    async def start_lane(group: Group, targets: Mapping[str, Target]) -> LaneGroup:
        lane = LaneGroup(make_lane(group, targets))
        await lane.start()
        return lane

    return Canaries(
        Parts(
            state=options.state,
            report_store=ReportStore(options.state),
            listeners=observers,
            start_lane=start_lane,
            health_s=options.health_s,
            differ=differ,
        )
    )


def lane_options(options: Options) -> Options:
    """No ports for devices, and any for its functions."""
    return replace(options, ipc_port=0, mqtt_port=None, mqtt_plain_port=None, discovery_port=None)


class LaneGroup:
    """``start``, then ``stop`` (``edgecore.canary.canary.RunningLane``)."""

    def __init__(self, running: RunningGroup) -> None:
        self._running = running

    async def start(self) -> None:
        """Raises CoreError; nothing is left running then."""
        try:
            await self._running.start()
        except BaseException:
            await self._running.stop()
            raise

    def publish(self, source: str, topic: str, payload: bytes) -> object:
        return self._running.router.publish(source, topic, payload)

    def functions(self) -> list[FunctionStatus]:
        return self._running.supervisor.status()

    async def stop(self) -> None:
        await self._running.stop()
