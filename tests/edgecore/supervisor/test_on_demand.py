"""How many processes an on-demand function gets for the work that waits."""

from __future__ import annotations

import asyncio
import time

import pytest

from edgecore.core.group import Function
from edgecore.core.observers import Observers
from edgecore.core.workqueue import WorkBudget, WorkItem, WorkQueue
from edgecore.supervisor.supervisor import Supervisor

DOUBLE = Function(id="double", arn="arn:aws:lambda:us-east-1:123456789012:function:double:live")


class SlowLauncher:
    """Each launch lasts until it is let go, and fails then."""

    def __init__(self) -> None:
        self.launched = 0
        self.let_go = asyncio.Event()

    async def start(self, *_: object) -> None:
        self.launched += 1
        await self.let_go.wait()
        raise OSError("the machine has no process left")

    def isolation_of(self, _: Function) -> str:
        return "none"

    def close(self) -> None:
        pass


async def launches(items: int) -> int:
    """For so many items, with every reason to look for free workers twice."""
    launcher = SlowLauncher()
    queue = WorkQueue(WorkBudget(), time.monotonic)
    supervisor = Supervisor(
        (DOUBLE,),
        {DOUBLE.arn: queue},
        launcher,  # type: ignore[arg-type]
        on_ended=lambda _: None,
        observers=Observers(),
    )
    supervisor.start()
    for number in range(items):
        queue.offer(WorkItem(str(number), b"{}"))
    assert queue.on_starved is not None
    queue.on_starved()  # before any launch has begun
    await asyncio.sleep(0)
    queue.on_starved()  # while they last, as the supervisor's tick does
    await asyncio.sleep(0)
    launched = launcher.launched
    launcher.let_go.set()
    await supervisor.stop()
    return launched


@pytest.mark.parametrize("items", [1, 3])
def test_each_item_that_waits_gets_one_process_however_long_its_launch_lasts(items) -> None:
    assert asyncio.run(launches(items)) == items


def test_launches_that_last_count_toward_the_limit_of_processes() -> None:
    assert asyncio.run(launches(30)) == 25
