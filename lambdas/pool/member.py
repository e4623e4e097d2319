"""One place in the pool: the process that fills it now, and what that process holds."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Mapping

from contract.accelerators.cards import GpuId
from contract.accelerators.choosing import UUID_VARIABLE, assigned_uuid
from contract.messages import Record, work_message

PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Job:
    """What one work message carries; `alone`: suspected of having ended a process."""

    __slots__ = ("alone", "attempt", "batch", "deaths", "items", "volume")

    def __init__(  # noqa: PLR0913, PLR0917 - a record
        self,
        batch: str,
        attempt: int,
        items: list[Record],
        deaths: int = 0,
        alone: bool = False,
        volume: str = "",
    ) -> None:
        self.batch, self.attempt, self.items = batch, attempt, items
        self.deaths, self.alone, self.volume = deaths, alone, volume

    def line(self) -> bytes:
        """The work message, as one line."""
        work = work_message(self.batch, self.attempt, self.items, volume=self.volume)
        return work + b"\n"

    def suspects(self) -> list[Job]:
        """Each item by itself, after the process that held them has died."""
        return [
            Job(self.batch, self.attempt + 1, [item], self.deaths + 1, True, self.volume)
            for item in self.items
        ]


class Member:
    """State of one place; the pool's lock guards it."""

    def __init__(self, index: int, gpu_id: GpuId) -> None:
        self.index, self.gpu_id = index, gpu_id
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = False
        #: Why its process cannot read images now.
        self.trouble = ""
        #: What its last process said when it could not start.
        self.why_not = ""
        self.jobs: dict[str, Job] = {}

    def takes(self, job: Job, at_most: int) -> bool:
        """A suspect goes to an idle process, and nothing joins it there."""
        if not self.ready:
            return False
        if job.alone:
            return not self.jobs
        return len(self.jobs) < at_most and not any(held.alone for held in self.jobs.values())

    def spawn(self, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a process of this interpreter: never a fork of one with a GPU context."""
        python = env.get("FANFOLD_POOL_PYTHON", sys.executable)
        shared = sys.path if python == sys.executable else _for_others(env.get("PYTHONPATH", ""))
        path = os.pathsep.join([PACKAGE_ROOT, *(each for each in shared if each)])
        told = assigned_uuid(str(self.gpu_id), env)
        self.process = subprocess.Popen(
            [python, "-m", "lambdas.pool.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **env,
                "PYTHONPATH": path,
                "GPU_ID": str(self.gpu_id),
                **({UUID_VARIABLE: told} if told else {}),
                "FANFOLD_ROLE": "inference",
            },
        )
        return self.process


def _for_others(path: str) -> list[str]:
    """Of a PYTHONPATH what another interpreter may be given: it has packages and a standard
    library of its own, and ends at once with those of this one."""
    own = tuple(os.path.join(prefix, "") for prefix in {sys.prefix, sys.base_prefix})
    return [each for each in path.split(os.pathsep) if not each.startswith(own)]
