"""All functions of a group: started, ticked, stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from contract.status import FunctionStatus
from edgecore.core.fault_points import fault
from edgecore.core.group import Function
from edgecore.core.observers import Observers
from edgecore.core.workqueue import WorkQueue
from edgecore.supervisor.launcher import Launcher
from edgecore.supervisor.runner import FunctionRunner

log = logging.getLogger(__name__)

MAX_UNPINNED_WORKERS = 25
"""``maxConcurrentLimit`` of the V1 core (developer guide, config.json ``runtime``)."""
TICK_S = 0.25
TICKS_PER_MEASURE = 4
STOP_GRACE_S = 5.0


class Supervisor:
    """Also what the IPC interface reports about workers (edgecore.ipc.api.Workers)."""

    def __init__(
        self,
        functions: tuple[Function, ...],
        queues: Mapping[str, WorkQueue],
        launcher: Launcher,
        *,
        on_ended: Callable[[str], None],
        observers: Observers,
    ) -> None:
        self._launcher = launcher
        self._observers = observers
        self._on_ended = on_ended
        self.runners = {
            f.arn: FunctionRunner(f, queues[f.arn], launcher, self._ended) for f in functions
        }
        self._owners: dict[str, FunctionRunner] = {r.function.id: r for r in self.runners.values()}
        self._ticker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Pinned functions start now, on-demand ones when work comes."""
        for runner in self.runners.values():
            if runner.function.pinned:
                runner.start_pinned()
            else:
                runner.queue.on_starved = partial(self._demand, runner)
                if not runner.startable:
                    runner.retry_blocked()
        self._ticker = asyncio.ensure_future(self._tick())

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        await asyncio.gather(*(runner.stop(grace_s) for runner in self.runners.values()))
        self._launcher.close()

    def block(self, function: Function, why: str) -> None:
        """The function cannot be started here; the others are."""
        self.runners[function.arn].block(why)

    async def restart(self, function_id: str) -> bool:
        """False: no such function."""
        runner = self._owners.get(function_id)
        if runner is None:
            return False
        await runner.restart(STOP_GRACE_S)
        return True

    async def swap(self, function: Function) -> None:
        """Its process ends, and the next one begins with what the launcher gives now."""
        await self.runners[function.arn].restart(STOP_GRACE_S, "swap")

    def become(self, functions: Iterable[Function]) -> None:
        """Another deployment of the same functions: they begin as it says from their next start
        on, and what happened before it is not its fault."""
        for function in functions:
            runner = self.runners[function.arn]
            runner.function, runner.restarts = function, 0

    def _demand(self, runner: FunctionRunner) -> None:
        """Work waits and nobody is free: one more worker, within the limit."""
        if (
            runner.state in ("backoff", "crash_loop")
            or not runner.startable
            or runner.starting >= runner.queue.depth
        ):
            return
        on_demand = [r for r in self.runners.values() if not r.function.pinned]
        if sum(r.processes for r in on_demand) >= MAX_UNPINNED_WORKERS:
            idle = [w for r in on_demand if r is not runner and (w := r.idle_worker()) is not None]
            if not idle:
                return  # it gets its turn when a worker of its own is free
            min(idle, key=lambda w: w.last_seen).kill("idle")
        runner.start_one()

    def _ended(self, worker: str) -> None:
        self._on_ended(worker)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        count = 0
        while True:
            await asyncio.sleep(TICK_S)
            count += 1
            fault("supervisor.tick", supervisor=self)
            self._observers.tick(loop.time())
            measure = count % TICKS_PER_MEASURE == 0
            if measure:
                self._launcher.descriptors.fill()
                self._look_for_silent(loop.time())
            for runner in self.runners.values():
                try:
                    runner.tick(loop.time(), measure=measure)
                    if not runner.function.pinned and runner.queue.depth:
                        self._demand(runner)
                except Exception:
                    log.exception("watching function %s failed", runner.function.id)

    def _look_for_silent(self, now: float) -> None:
        """A part that reported and stopped: its process may live, and do nothing."""
        for part, silent_s in self._observers.stats_reports.silence_s().items():
            if part in self._owners:
                self._owners[part].silent(now, silent_s)

    # What IPC reports.

    def polled(self, worker: str) -> None:
        runner = self._runner_of(worker)
        if runner is not None:
            runner.polled(worker)

    def answered(self, worker: str) -> None:
        runner = self._runner_of(worker)
        if runner is not None:
            runner.answered(worker)

    def initialized(self, worker: str, success: bool, message: str) -> None:
        runner = self._runner_of(worker)
        if runner is None:
            return
        if success:
            runner.workers[worker].initialized = True
        else:
            runner.last_error = f"reports that it cannot start: {message}"

    def log_lines(self, worker: str, lines: list[str]) -> None:
        runner = self._runner_of(worker)
        if runner is not None:
            text = "".join(line.rstrip("\n") + "\n" for line in lines)
            self._launcher.log(runner.function).write(text.encode(errors="replace"))

    def health(self) -> list[dict[str, Any]]:
        return [
            {
                "FuncArn": runner.function.arn,
                "WorkerId": worker.name,
                "ProcessId": str(worker.pid),
                "WorkerState": "Waiting" if runner.queue.is_waiting(worker.name) else "Working",
            }
            for runner in self.runners.values()
            for worker in runner.workers.values()
        ]

    def _runner_of(self, worker: str) -> FunctionRunner | None:
        runner = self._owners.get(worker.rpartition("-")[0])
        return runner if runner is not None and worker in runner.workers else None

    def status(self) -> list[FunctionStatus]:
        """The ``functions`` of docs/spec/core.md."""
        return [self._status_of(runner) for runner in self.runners.values()]

    def _status_of(self, runner: FunctionRunner) -> FunctionStatus:
        function, queue = runner.function, runner.queue
        workers = list(runner.workers.values())
        return {
            "id": function.id,
            "arn": function.arn,
            "pinned": function.pinned,
            "state": runner.state,
            "startable": runner.startable,
            "pid": workers[0].pid if workers else None,
            "workers": len(workers),
            "restarts": runner.restarts,
            "queue": queue.depth,
            "oldest_ms": round(queue.oldest_s() * 1000),
            "invocations": queue.invocations,
            "errors": queue.errors,
            "rss_kb": sum(worker.rss_kb for worker in workers),
            "gpu_id": function.environment.get("GPU_ID"),
            "accelerators": self._observers.accelerators(
                function.environment.get("FANFOLD_WORKER", function.id)
            ),
            "runtime": function.runtime,
            "interpreter": self._interpreter(function) if runner.startable else None,
            "isolation": self._launcher.isolation_of(function),
            "last_error": runner.last_error,
        }

    def _interpreter(self, function: Function) -> str | None:
        try:
            return self._launcher.interpreter(function)
        except LookupError:
            return None
