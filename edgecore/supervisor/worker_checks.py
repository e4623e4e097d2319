"""Why a worker that runs is ended by the core: time, silence, a stopped process, memory."""

from __future__ import annotations

from typing import NamedTuple

from edgecore.core.group import Function
from edgecore.core.lifecycle import is_hung, is_overdue
from edgecore.core.reports import HUNG_AFTER_S
from edgecore.core.workqueue import WorkQueue
from edgecore.supervisor.launcher import Launcher
from edgecore.supervisor.process import WorkerProcess, held_kb, resident_kb
from edgecore.supervisor.procstate import process_state
from edgecore.supervisor.startwatch import StartWatch, start_limit_s


class Fault(NamedTuple):
    """`hung`: it lives and does not answer."""

    reason: str
    hung: bool = False


class WorkerChecks:
    """``begin`` and ``end`` with each worker of the function, ``fault`` as often as it is asked."""

    def __init__(self, function: Function, queue: WorkQueue, launcher: Launcher) -> None:
        self._function, self._queue, self._launcher = function, queue, launcher
        self._contained = launcher.isolation_of(function) == "container"
        self._start_limit_s, problem = start_limit_s(function.environment)
        if problem:
            self._find(problem)
        self._starts: dict[str, StartWatch] = {}

    @property
    def any_frozen(self) -> bool:
        """A signal has stopped one of the processes."""
        return any(start.frozen for start in self._starts.values())

    def begin(self, worker: WorkerProcess) -> None:
        self._starts[worker.name] = StartWatch(
            self._function.timeout_s, self._start_limit_s, worker.started_at
        )

    def end(self, worker: WorkerProcess) -> None:
        del self._starts[worker.name]

    def fault(self, worker: WorkerProcess, now: float, *, measure: bool) -> Fault | None:
        """With ``measure`` also what takes reading ``/proc``: memory, a stopped process."""
        items = self._queue.in_hand_of(worker.name)
        oldest = min((item.handed_at for item in items), default=None)
        if oldest is not None and is_overdue(now, oldest, self._function.timeout_s):
            return Fault(f"handler timed out after {self._function.timeout_s} s")
        if oldest is None and self._is_hung(worker, now):
            return Fault("hung: work is waiting and it does not ask for any", hung=True)
        if not measure:
            return None
        above = self._above_memory_limit(worker)
        stopped = self._stopped_or_late(worker, now)
        return above or stopped

    def _is_hung(self, worker: WorkerProcess, now: float) -> bool:
        # Before its first poll a function may legally work in its module for ever (V1 does
        # not mind; see startwatch), and one that waits for work is fine by definition.
        if not worker.fetched or self._queue.is_waiting(worker.name):
            return False
        return is_hung(
            now=now,
            waiting=self._queue.depth,
            last_seen=worker.last_seen,
            oldest_at=now - self._queue.oldest_s(),
            timeout_s=self._function.timeout_s,
        )

    def _stopped_or_late(self, worker: WorkerProcess, now: float) -> Fault | None:
        """What needs no word from the worker: a stopped process, a start without an end."""
        state = process_state(worker.pid, container=self._contained)
        check = self._starts[worker.name].look(now, state, fetched=worker.fetched)
        if check.warn:
            self._find(check.warn)
        return Fault(check.kill, hung=True) if check.kill else None

    def _above_memory_limit(self, worker: WorkerProcess) -> Fault | None:
        worker.rss_kb = resident_kb(worker.pid)
        limit = self._function.memory_kb
        if limit is not None and (held := held_kb(worker.pid)) > limit:
            return Fault(f"memory: {held} KB (limit {limit} KB)")
        return None

    def _find(self, problem: str) -> None:
        self._launcher.find(f"function {self._function.id}: {problem}")


def silence(worker: WorkerProcess, now: float, silent_s: float) -> Fault | None:
    """Its reports have not come for ``silent_s``; a new process has that long as well."""
    quiet_s = min(silent_s, now - worker.fetched_at)
    if worker.fetched and quiet_s > HUNG_AFTER_S:
        return Fault(f"hung: no report for {quiet_s:.0f} s", hung=True)
    return None
