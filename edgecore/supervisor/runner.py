"""One function's workers: how many there should be, what became of each."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
from collections.abc import Callable, Coroutine
from typing import Any

from edgecore.core.ending import signal_of
from edgecore.core.group import Function
from edgecore.core.lifecycle import FunctionState, RestartPolicy
from edgecore.core.workqueue import WorkQueue
from edgecore.supervisor.identity import IsolationError
from edgecore.supervisor.interpreters import InterpreterError
from edgecore.supervisor.launcher import Launcher
from edgecore.supervisor.process import WANTED, WorkerProcess, end_of
from edgecore.supervisor.worker_checks import Fault, WorkerChecks, silence

log = logging.getLogger(__name__)
BLOCKED_DELAY_S = 60.0
_serial = itertools.count(1)

EndedHook = Callable[[str], None]


class FunctionRunner:
    """Keeps a pinned function running, or starts an on-demand one per parallel invocation."""

    def __init__(
        self, function: Function, queue: WorkQueue, launcher: Launcher, on_ended: EndedHook
    ) -> None:
        self.function = function
        self.queue = queue
        self.workers: dict[str, WorkerProcess] = {}
        self.restarts = 0
        self.last_error: str | None = None
        self.startable = True
        # Of the latest process that took work: one that never did can have met no image.
        self._earlier_end = ""
        self._state: FunctionState = "stopped"
        self._launcher = launcher
        self._on_ended = on_ended
        self._policy = RestartPolicy()
        self._checks = WorkerChecks(function, queue, launcher)
        self._stopping = self._swapped = False
        self._launching = 0
        # How often its processes were asked to end, and the last time why and with what grace:
        # one that is being launched meanwhile is among them, and nobody else knows it yet.
        self._asked, self._ask = 0, ("", 0.0)
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> FunctionState:
        """A process that a signal has stopped shows as hung before it is replaced."""
        frozen = self._checks.any_frozen and self._state == "running"
        return "hung" if frozen else self._state

    @property
    def starting(self) -> int:
        """Processes that have not asked for work yet, those being launched among them."""
        return self._launching + sum(not worker.fetched for worker in self.workers.values())

    @property
    def processes(self) -> int:
        """Those that run and those being launched."""
        return self._launching + len(self.workers)

    def start_pinned(self) -> None:
        if self.startable:
            self._state = "starting"
        self._spawn_task(self._keep_running())

    def start_one(self) -> None:
        """On demand: one more worker now."""
        self._launching += 1
        self._spawn_task(self._run_once())

    def _spawn_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_running(self) -> None:
        while not self._stopping:
            if not self.startable:
                await self._until_startable()
                continue
            self._launching += 1
            await self._run_once()
            if self.startable and not self._stopping:
                self.restarts += not self._swapped
            self._swapped = False

    async def _run_once(self) -> None:
        """From start to exit, then the back-off that the exit earned."""
        loop = asyncio.get_running_loop()
        name = f"{self.function.id}-{next(_serial)}"
        began = loop.time()
        killed_for, answered, asked = "", 0, self._asked
        try:
            worker = await self._launch(name)
        except (InterpreterError, IsolationError) as error:
            self.block(str(error))
            if not self.function.pinned:
                self.retry_blocked()
            return
        except OSError as error:
            self.last_error = f"cannot be started: {error}"
            log.error("function %s %s", self.function.id, self.last_error)  # noqa: TRY400
        else:
            self.workers[name] = worker
            self._checks.begin(worker)
            if asked != self._asked:
                worker.killed_for, grace_s = self._ask
                await worker.stop(grace_s)
            status = await worker.process.wait()
            # Who ends itself has given up: what it answered before proves nothing.
            answered = worker.answered if status < 0 else 0
            killed_for = worker.killed_for
            await self._clean_up(worker, status)
        if self._stopping or killed_for in WANTED:
            return
        now, jitter = loop.time(), random.random()  # noqa: S311
        restart = self._policy.after_exit(now, now - began, jitter, answered=answered)
        self._state = restart.state
        text = "function %s: %s; next start in %.1f s (%s)"
        log.warning(text, self.function.id, self.last_error, restart.delay_s, restart.state)
        await self._back_off(restart.delay_s)
        self._state = "stopped"

    async def _launch(self, name: str) -> WorkerProcess:
        self._state = "starting"
        try:
            return await self._launcher.start(self.function, name, self._earlier_end)
        finally:
            self._launching -= 1

    def block(self, why: str) -> None:
        """This machine lacks what the function runs with: said once, tried again slowly."""
        text = f"cannot be started: {why}"
        if self.startable or text != self.last_error:
            log.error("function %s %s", self.function.id, text)
        self._unblock()
        self.startable, self.last_error, self._state = False, text, "stopped"
        self._launcher.find(self._blocked_finding())
        self.queue.refusal = json.dumps({"errorMessage": text}).encode()
        self.queue.clear(self.queue.refusal)

    def retry_blocked(self) -> None:
        """For an on-demand function: no message starts it while it is blocked."""
        self._spawn_task(self._until_startable())

    async def _until_startable(self) -> None:
        while not self.startable and not self._stopping:
            await self._back_off(BLOCKED_DELAY_S)
            try:
                await asyncio.to_thread(self._launcher.check, self.function)
            except (InterpreterError, IsolationError) as error:
                self.block(str(error))
            else:
                self._unblock()

    def _unblock(self) -> None:
        if not self.startable:
            self._launcher.forget(self._blocked_finding())
            self.startable, self.last_error, self.queue.refusal = True, None, None

    def _blocked_finding(self) -> str:
        return f"function {self.function.id} {self.last_error}"

    async def _back_off(self, delay_s: float) -> None:
        """The back-off; an operator's restart ends it."""
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), delay_s)
        except asyncio.TimeoutError:
            return

    async def _clean_up(self, worker: WorkerProcess, status: int) -> None:
        worker.signal_group(9)  # what it started must not outlive it
        if worker.fetched:
            self._earlier_end = "" if worker.killed_for else signal_of(status)
        del self.workers[worker.name]
        self._checks.end(worker)
        self._launcher.ended(worker)
        reason = worker.killed_for or end_of(status)
        if reason in WANTED and self.startable:
            self.last_error = None  # the next process has not failed yet
        if not self._stopping and reason not in WANTED:
            self.last_error = reason
            words = f"[ERROR]-Worker is ungracefully killed. {reason}\n"
            self._launcher.log(self.function).write(words.encode())
        lost = self.queue.lose_worker(worker.name, f'{{"errorMessage":"{reason}"}}'.encode())
        if lost:
            log.warning(
                "function %s: %d work item(s) being processed are lost", self.function.id, lost
            )
        self._on_ended(worker.name)
        if not self.workers:
            self._state = "stopped"

    def polled(self, worker: str) -> None:
        """The worker asked for work or answered: it lives."""
        found = self.workers.get(worker)
        if found is None:
            return
        found.last_seen = asyncio.get_running_loop().time()
        if not found.fetched:
            found.fetched, found.fetched_at = True, found.last_seen
            self._state = "running"

    def answered(self, worker: str) -> None:
        """It posted a result for a message that it held."""
        if worker in self.workers:
            self.workers[worker].answered += 1

    def tick(self, now: float, *, measure: bool) -> None:
        """Timeouts, hung workers, and with ``measure`` memory."""
        for worker in list(self.workers.values()):
            if not worker.killed_for and (
                fault := self._checks.fault(worker, now, measure=measure)
            ):
                self._kill(worker, fault)

    def silent(self, now: float, silent_s: float) -> None:
        """Its reports have not come for ``silent_s``; a new process has that long as well."""
        for worker in list(self.workers.values()):
            if not worker.killed_for and (fault := silence(worker, now, silent_s)):
                self._kill(worker, fault)

    def _kill(self, worker: WorkerProcess, fault: Fault) -> None:
        if fault.hung:
            self._state = "hung"
        self.last_error = fault.reason
        log.error("function %s (pid %d): %s", self.function.id, worker.pid, fault.reason)
        worker.kill(fault.reason)

    def idle_worker(self) -> WorkerProcess | None:
        """The worker that waits longest, for the on-demand limit."""
        idle = [w for w in self.workers.values() if self.queue.is_waiting(w.name)]
        return min(idle, key=lambda w: w.last_seen, default=None)

    async def restart(self, grace_s: float, why: str = "restart") -> None:
        """An operator's wish, or an exchange of the model: no back-off, and no crash."""
        if why == "swap":  # the next process has no past
            self._policy, self._earlier_end, self.last_error = RestartPolicy(), "", None
            self._swapped, self._state = True, "starting"
        self._wake.set()
        self._asked, self._ask = self._asked + 1, (why, grace_s)
        for worker in list(self.workers.values()):
            worker.killed_for = why
            await worker.stop(grace_s)

    async def stop(self, grace_s: float) -> None:
        self._stopping = True
        self._wake.set()
        self._asked, self._ask = self._asked + 1, ("stopped", grace_s)
        await asyncio.gather(*(w.stop(grace_s) for w in list(self.workers.values())))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.queue.clear(b'{"errorMessage":"the core stops"}')
        self._state = "stopped"
