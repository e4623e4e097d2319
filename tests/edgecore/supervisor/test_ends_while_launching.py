"""A process that is asked to end while it is being launched ends, as those that run do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from edgecore.core.descriptors import Reserve
from edgecore.core.group import Function
from edgecore.core.observers import Observers
from edgecore.core.workqueue import WorkBudget, WorkQueue
from edgecore.supervisor import process
from edgecore.supervisor.logfiles import LogFile
from edgecore.supervisor.process import WorkerProcess
from edgecore.supervisor.supervisor import Supervisor

PINNED = Function(id="one", arn="arn:aws:lambda:us-east-1:123456789012:function:one:1", pinned=True)
LIMIT_S = 10.0


class HeldLauncher:
    """Each launch lasts until it is let go; then a process runs for ever."""

    def __init__(self, folder: Path) -> None:
        self.let_go, self.launching, self.twice = (asyncio.Event() for _ in range(3))
        self.descriptors = Reserve()
        self.launched: list[WorkerProcess] = []
        self._folder = folder
        self._log = LogFile(folder / "one.log")

    async def start(self, _function: Function, name: str, _earlier_end: str) -> WorkerProcess:
        self.launching.set()
        await self.let_go.wait()
        made = await process.start(
            name, ["sleep", "600"], cwd=self._folder, environment={}, write_log=self._log.write,
            descriptors=self.descriptors,
        )  # fmt: skip
        self.launched.append(made)
        if len(self.launched) == 2:
            self.twice.set()
        return made

    def isolation_of(self, _: Function) -> str:
        return "none"

    def log(self, _: Function) -> LogFile:
        return self._log

    def ended(self, _: WorkerProcess) -> None:
        pass

    def close(self) -> None:
        self._log.close()


async def asked_while_launching(
    folder: Path, ask: Callable[[Supervisor], Awaitable[Any]]
) -> HeldLauncher:
    launcher = HeldLauncher(folder)
    supervisor = Supervisor(
        (PINNED,),
        {PINNED.arn: WorkQueue(WorkBudget(), time.monotonic)},
        launcher,  # type: ignore[arg-type]
        on_ended=lambda _: None,
        observers=Observers(),
    )
    supervisor.start()
    await launcher.launching.wait()
    asked = asyncio.ensure_future(ask(supervisor))
    await asyncio.sleep(0)
    launcher.let_go.set()
    await asyncio.wait_for(asked, LIMIT_S)
    if ask is not _stop:
        await asyncio.wait_for(launcher.twice.wait(), LIMIT_S)
        await asyncio.wait_for(_stop(supervisor), LIMIT_S)
    return launcher


def _stop(supervisor: Supervisor) -> Awaitable[None]:
    return supervisor.stop(grace_s=5)


def test_a_group_that_stops_while_a_function_is_launched_ends_it(tmp_path: Path) -> None:
    launcher = asyncio.run(asked_while_launching(tmp_path, _stop))
    (only,) = launcher.launched
    assert only.process.returncode is not None


@pytest.mark.parametrize("how", ["swap", "restart"])
def test_a_worker_that_is_exchanged_while_it_is_launched_begins_once_more(
    tmp_path: Path, how: str
) -> None:
    """It was launched with what the launcher gave before."""

    def ask(supervisor: Supervisor) -> Awaitable[Any]:
        return supervisor.swap(PINNED) if how == "swap" else supervisor.restart("one")

    launcher = asyncio.run(asked_while_launching(tmp_path, ask))
    assert [each.process.returncode is not None for each in launcher.launched] == [True, True]
    assert launcher.launched[0].killed_for == how
