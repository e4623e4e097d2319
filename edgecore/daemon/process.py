"""The core as a process: load, apply, run, poll for newer, stop. ``run`` is the entry."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import edgecore
from edgecore.core import fault_points
from edgecore.core.group import Group
from edgecore.core.observers import Taps
from edgecore.daemon.check_runner import Examiner
from edgecore.daemon.engine import Engine
from edgecore.daemon.options import CoreError, Options
from edgecore.deploy.poller import Rollout
from edgecore.disk.state_files import StateLock, remove_core_json, write_core_json
from edgecore.sources import SourceError
from edgecore.supervisor.process import Reaper
from edgecore.uplink.credentials import lent_credentials
from edgecore.uplink.opening import open_sink, open_spooler
from edgecore.uplink.spooler import Spooler
from edgecore.web.server import Front

if TYPE_CHECKING:
    from edgecore.hostile import FaultPlan

log = logging.getLogger(__name__)


def run(options: Options) -> int:
    """Run until SIGTERM or SIGINT; the exit code of docs/spec/core.md."""
    try:
        lock = StateLock(options.state)
    except CoreError as error:
        log.error("%s", error)  # noqa: TRY400 - the user's to mend, no traceback
        return error.exit_code
    try:
        return asyncio.run(Daemon(options).run())
    except (CoreError, SourceError) as error:
        log.error("%s", error)  # noqa: TRY400
        return error.exit_code
    finally:
        lock.release()


class Daemon:
    """Everything that outlives one deployment."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._taps = Taps()
        self._started = time.monotonic()
        self._front = Front(options)
        self._examiner = Examiner(options.doctor)
        self._rollout = Rollout(options, self._new_engine, self._group_changed, self.status)
        self._spooler: Spooler
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
        plan = self._hostile()
        loaded = await self._rollout.first_group()
        self._open_cloud(loaded.group, plan)
        self._front.bind()
        await self._rollout.begin(loaded)
        self._front.start(
            loaded.group,
            status=self.status,
            engine=lambda: self._rollout.engine,
            taps=self._taps,
        )
        self._write_facts()
        self._background.append(asyncio.ensure_future(self._examiner.run()))
        if self._options.poll_s > 0:
            self._background.append(asyncio.ensure_future(self._rollout.poll()))
        log.info("core runs group %s, ports %s", loaded.group.name, self._ports())

    def _hostile(self) -> FaultPlan | None:
        """Installs ``--faults``; None without. Raises CoreError for a wrong file."""
        if self._options.faults is None:
            return None
        # Validated with pydantic, whose import is a fifth of the core's start.
        from edgecore.hostile import HostilePlan, read_plan

        plan = read_plan(self._options.faults)
        fault_points.install(HostilePlan(plan))
        log.warning("the core is hostile: fault plan %s, seed %d", self._options.faults, plan.seed)
        return plan

    def _open_cloud(self, group: Group, plan: FaultPlan | None) -> None:
        self._spooler = open_spooler(self._options, group)
        sink = open_sink(self._options, group)
        if plan is not None:
            from edgecore.hostile import BadLink

            sink = BadLink(sink, plan)
        self._background.append(asyncio.ensure_future(self._spooler.run(sink)))

    def _new_engine(self, group: Group) -> Engine:
        self._taps.forget_stats()
        return Engine(
            group,
            self._options,
            spooler=self._spooler,
            taps=self._taps,
            reaper=self._reaper,
            credentials=lent_credentials,
        )

    def _group_changed(self) -> None:
        if self._rollout.loaded is not None:
            self._front.show(self._rollout.loaded.group)
        self._write_facts()

    def _ports(self) -> dict[str, int | None]:
        engine = self._rollout.engine
        return {**(engine.ports if engine is not None else {}), "http": self._front.port}

    def _write_facts(self) -> None:
        loaded = self._rollout.loaded
        if loaded is None or self._rollout.engine is None:
            return
        group = loaded.group
        facts = {
            "pid": os.getpid(),
            "ports": self._ports(),
            "thing": group.core.thing_name,
            "group": group.name,
            "version": group.version,
            "deployment": loaded.deployment_id,
            "token": self._front.token,
        }
        write_core_json(self._options.state, facts)

    def status(self) -> Mapping[str, Any]:
        """``GET /api/status`` (docs/spec/core.md)."""
        engine, loaded = self._rollout.engine, self._rollout.loaded
        return {
            "v": 1,
            "core": {
                "thing": loaded.group.core.thing_name if loaded else None,
                "version": edgecore.__version__,
                "uptime_s": round(time.monotonic() - self._started, 1),
                "pid": os.getpid(),
                "ports": self._ports(),
            },
            "group": self._rollout.status(),
            "functions": engine.supervisor.status() if engine else [],
            "router": _router_status(engine),
            "mqtt": {"clients": [c for s in engine.mqtt for c in s.clients()] if engine else []},
            "cloud": self._spooler.stats(),
            "stats": self._taps.stats,
            "silence_s": self._taps.silence_s(),
            "findings": self._findings(),
            "doctor": self._examiner.status(),
        }

    def _findings(self) -> list[str]:
        engine, loaded = self._rollout.engine, self._rollout.loaded
        own = engine.launcher.findings if engine else []
        return [*(loaded.findings if loaded else ()), *own]

    async def _shut_down(self) -> None:
        await self._front.stop()
        await self._rollout.stop()
        for task in self._background:
            task.cancel()
        for task in self._background:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if hasattr(self, "_spooler"):
            await self._spooler.close()
        self._reaper.close()
        remove_core_json(self._options.state)


def _router_status(engine: Engine | None) -> dict[str, int]:
    if engine is None:
        return {}
    counters = engine.router.counters
    return {
        "work_items": engine.budget.held,
        "limit": engine.budget.limit,
        "delivered": counters.delivered,
        "refused": counters.refused,
        "unrouted": counters.unrouted,
    }
