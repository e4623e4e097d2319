"""A device with a job executor, and where its power may go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs_cloud import Deployed, FakeLink, JobsService

from edgecore.core import fault_points
from edgecore.jobs.artifacts import Artifacts
from edgecore.jobs.core_update import CoreUpdate
from edgecore.jobs.executor import Executor
from edgecore.uplink.backoff import Backoff

DEADLINE_S = 30.0


class Killed(BaseException):
    """Power is gone: nothing runs any more, not even a handler."""


def kill_once_at(point: str) -> None:
    kills = iter([True])

    def plan(reached: str, _facts: Any) -> None:
        if reached == point and next(kills, False):
            raise Killed

    fault_points.install(plan)


class Device:
    """One state directory; a core may start there again and again."""

    def __init__(self, state: Path, service: JobsService) -> None:
        self.state, self.service = state, service
        state.mkdir(exist_ok=True)
        self.deployed = Deployed(state)
        self.core_update = CoreUpdate({})

    def executor(self) -> Executor:
        def no_s3(*_: Any) -> Any:
            raise AssertionError("nothing is on S3 here")

        self.link = FakeLink(self.service)
        return Executor(
            self.link,  # type: ignore[arg-type]
            self.state,
            thing="hall-core",
            site="hall",
            deployments=self.deployed,
            artifacts=Artifacts(self.state / "jobs/parts", no_s3),
            backoff=Backoff(base_s=0.01, cap_s=0.02),
            core_update=self.core_update,
        )

    def run_until(self, check: Callable[[], object]) -> None:
        async def scenario() -> None:
            self.executor_now = executor = self.executor()
            task = asyncio.ensure_future(executor.run())
            try:
                async with asyncio.timeout(DEADLINE_S):
                    while not check():
                        if task.done():
                            task.result()
                        await asyncio.sleep(0.005)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(scenario())

    def has_ended(self, *job_ids: str) -> bool:
        """Told to the cloud, and nothing of them is under way here."""
        ended = ("SUCCEEDED", "FAILED", "REJECTED")
        told = all(self.service.executions[j].status in ended for j in job_ids)
        return told and not (self.state / "jobs/current.json").exists()

    def run_until_ended(self, *job_ids: str) -> None:
        self.run_until(lambda: self.has_ended(*job_ids))
