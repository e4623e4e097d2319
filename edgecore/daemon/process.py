"""The core as a process: load, apply, run, poll for newer, stop. ``run`` is the entry."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import edgecore
from contract.allocator import share_one_heap
from contract.durable.database import is_out_of_room
from contract.status import Status
from edgecore.components import by_components
from edgecore.components.follower import Follower
from edgecore.core import fault_points
from edgecore.core.descriptors import raise_limit
from edgecore.core.group import Group
from edgecore.core.observers import Observers
from edgecore.core.options import CoreError, Options
from edgecore.core.router import Target
from edgecore.core.verdict import judge
from edgecore.daemon.check_runner import CheckRunner
from edgecore.daemon.evidence import Evidence
from edgecore.daemon.facts import Facts
from edgecore.daemon.glance import Glance
from edgecore.daemon.health_report import HealthReporter
from edgecore.daemon.lacking import lacking
from edgecore.daemon.lane_group import canaries, lane_options
from edgecore.daemon.operator import Operator
from edgecore.daemon.rollout import Rollout
from edgecore.daemon.running_group import RunningGroup
from edgecore.daemon.secret_keeper import SecretKeeper
from edgecore.daemon.traffic import mqtt_status, router_status
from edgecore.daemon.uplink import Uplink
from edgecore.daemon.waiting_group import BY_JOBS
from edgecore.daemon.watch import Watch
from edgecore.disk.process_mark import process_mark
from edgecore.disk.space import is_full
from edgecore.disk.state_files import StateLock
from edgecore.sources import SourceError
from edgecore.sources.errors import MISSING
from edgecore.supervisor.process import Reaper
from edgecore.uplink.credential_provider import no_credentials
from edgecore.web.server import WebServer

if TYPE_CHECKING:
    from edgecore.faultinjection import FaultPlan

log = logging.getLogger(__name__)

SWITCH_S = 5e-4
"""The history's thread keeps the interpreter, of which there is one, for 5 ms by default: so long
an image waited on its way through the loop."""


def run(options: Options) -> int:
    """Run until SIGTERM or SIGINT; the exit code of docs/spec/core.md."""
    share_one_heap()
    sys.setswitchinterval(SWITCH_S)
    try:
        lock = StateLock(options.state)
    except CoreError as error:
        log.error("%s", error)  # noqa: TRY400 - for the user to fix, no traceback
        return error.exit_code
    raise_limit()
    try:
        return asyncio.run(Daemon(options).run())
    except (CoreError, SourceError) as error:
        log.error("%s", error)  # noqa: TRY400
        return error.exit_code
    except (OSError, sqlite3.OperationalError) as error:
        if not (is_full(error) if isinstance(error, OSError) else is_out_of_room(error)):
            raise
        said = error.strerror if isinstance(error, OSError) else error
        log.error(  # noqa: TRY400
            "--state %s: %s; free space there, nothing that was accepted is touched", options.state,
            said,
        )  # fmt: skip
        return MISSING
    finally:
        lock.release()


class Daemon:
    """Everything that outlives one deployment."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._observers = Observers()
        self._started = time.monotonic()
        self._web = WebServer(options)
        self._check_runner = CheckRunner(options.doctor)
        self._evidence = Evidence(options)
        self._glance = Glance(self.status)
        self._watch = Watch(options, self._observers, self._glance)
        self._canaries = canaries(
            options, self._observers, self._make_lane, self._watch.recorder.sampler.differ
        )
        self._rollout = Rollout(
            options, self._make_running_group, self._group_changed, self.status, self._canaries
        )
        self._secrets = SecretKeeper(options.state, options.secrets)
        self._uplink = Uplink(options)
        self._facts = Facts(options.state)
        self._health: HealthReporter | None = None
        self._background: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Raises CoreError or SourceError where it cannot start."""
        self._stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._reaper = Reaper()
        try:
            await self._start()
            await self._stop.wait()
        finally:
            await self._shut_down()
        return 0

    async def _start(self) -> None:
        plan = self._fault_plan()
        loaded = await self._rollout.first_group()
        self._uplink.open(loaded.group, plan)
        self._health = HealthReporter(self._glance, self._uplink.spooler.put)
        self._background.append(asyncio.ensure_future(self._evidence.run(self._glance)))
        self._web.bind()
        self._watch.show(loaded.group)
        await self._rollout.begin(loaded)
        self._watch.start()
        self._web.start(
            loaded.group,
            status=self.status,
            glance=self._glance,
            actions=Operator(lambda: self._rollout.running_group, self._watch),
            observers=self._observers,
            recorder=self._watch.recorder,
        )
        self._write_facts()
        if self._uplink.joined is not None and self._options.group == BY_JOBS:
            self._uplink.joined.execute_jobs(self._rollout)
        if by_components(self._options.group):
            follower = Follower(self._options, self._rollout)
            self._rollout.decided = follower.wake
            self._background.append(asyncio.ensure_future(follower.run()))
        self._background.append(asyncio.ensure_future(self._check_runner.run()))
        self._background.append(asyncio.ensure_future(self._health.run()))
        if self._options.poll_s > 0:
            self._background.append(asyncio.ensure_future(self._rollout.poll()))
        # Most of what there is now, modules above all, is there to the end: collections need not
        # look at it each time, while no message passes.
        gc.freeze()
        log.info("the core runs group %s, ports %s", loaded.group.name, self._ports())

    def _fault_plan(self) -> FaultPlan | None:
        """Installs ``--fault-plan``; None without. Raises CoreError for a wrong file."""
        if self._options.fault_plan is None:
            return None
        # Validated with pydantic, whose import is a fifth of the core's start.
        from edgecore.faultinjection import FaultSchedule, read_plan

        plan = read_plan(self._options.fault_plan)
        fault_points.install(FaultSchedule(plan))
        log.warning("fault injection is on: plan %s, seed %d", self._options.fault_plan, plan.seed)
        return plan

    def _make_running_group(self, group: Group) -> RunningGroup:
        self._observers.forget_stats()
        self._glance.forget()
        joined = self._uplink.joined
        self._secrets.use(group, joined.secrets_client if joined is not None else None)
        self._evidence.show(group)
        if self._health is not None:
            self._health.show(group)
        return RunningGroup(
            group,
            self._options,
            spooler=self._uplink.spooler,
            observers=self._observers,
            reaper=self._reaper,
            credentials=self._uplink.credentials(),
            secrets=self._secrets.answer,
        )

    def _make_lane(self, group: Group, targets: Mapping[str, Target]) -> RunningGroup:
        return RunningGroup(
            group,
            lane_options(self._options),
            spooler=self._uplink.spooler,
            observers=Observers(),
            reaper=self._reaper,
            credentials=no_credentials,
            secrets=self._secrets.answer,
            targets=targets,
        )

    def _group_changed(self) -> None:
        self._glance.forget()
        if self._uplink.joined is not None:
            self._uplink.joined.show(self._rollout.running_group)
        if self._rollout.loaded is not None:
            self._web.show(self._rollout.loaded.group)
            self._watch.show(self._rollout.loaded.group)
        self._write_facts()

    def _ports(self) -> dict[str, int | None]:
        running = self._rollout.running_group
        return {**(running.ports if running is not None else {}), "http": self._web.port}

    def _write_facts(self) -> None:
        loaded = self._rollout.loaded
        if loaded is None or self._rollout.running_group is None:
            return
        group = loaded.group
        facts = {
            "pid": os.getpid(),
            **(process_mark(os.getpid()) or {}),
            "ports": self._ports(),
            "thing": group.core.thing_name,
            "group": group.name,
            "version": group.version,
            "deployment": loaded.deployment_id,
            "token": self._web.token,
            "listen": self._web.lan,
        }
        self._facts.show(facts)

    def status(self) -> Status:
        """``GET /api/status`` (docs/spec/core.md)."""
        running, loaded = self._rollout.running_group, self._rollout.loaded
        status: Status = {
            "v": 1,
            "core": {
                "thing": loaded.group.core.thing_name if loaded else None,
                "version": edgecore.__version__,
                "uptime_s": round(time.monotonic() - self._started, 1),
                "clock": round(time.time(), 3),
                "pid": os.getpid(),
                "rss_kb": self._evidence.memory.rss_kb,
                "ports": self._ports(),
            },
            "group": self._rollout.status(),
            "functions": running.supervisor.status() if running else [],
            "router": router_status(running),
            "mqtt": mqtt_status(running),
            "cloud": self._uplink.status(),
            "stats": self._observers.stats,
            "silence_s": self._observers.silence_s(),
            "recent": self._evidence.recent,
            "disks": self._evidence.disks,
            "replaced": self._evidence.replaced,
            "certificates": self._evidence.certificates,
            "findings": self._findings(),
            "doctor": self._check_runner.status(),
            **self._watch.status(),
        }
        if (canary := self._canaries.status()) is not None:
            status["canary"] = canary
        status["verdict"] = judge(status)
        return status

    def _findings(self) -> list[str]:
        running, loaded = self._rollout.running_group, self._rollout.loaded
        own = [*running.launcher.findings, *running.router.findings()] if running else []
        group = lacking(loaded.group, self._options) if loaded else []
        secrets = self._secrets.findings()
        return [
            *(loaded.findings if loaded else ()),
            *group,
            *secrets,
            *own,
            *self._uplink.findings(),
            *self._web.findings(),
            *self._evidence.memory.findings(),
        ]

    async def _shut_down(self) -> None:
        self._secrets.close()
        await self._watch.rest()
        await self._web.stop()
        await self._rollout.stop()
        await self._watch.close()
        for task in self._background:
            task.cancel()
        for task in self._background:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._uplink.close()
        self._reaper.close()
        await self._facts.close()
