"""The plan at work at the core's fault points: messages at the router, signals at the tick."""

from __future__ import annotations

import fnmatch
import logging
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from contract.topic_filters import TopicIndex
from edgecore.core.fault_points import Action
from edgecore.faultinjection.plan import FaultPlan, FunctionFaults

log = logging.getLogger(__name__)

Kill = Callable[[int, int], None]


class FaultSchedule:
    """A ``edgecore.core.fault_points.Plan``. ``met`` counts what was done, by kind."""

    def __init__(
        self,
        plan: FaultPlan,
        *,
        clock: Callable[[], float] = time.monotonic,
        kill: Kill = os.kill,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._kill = kill
        self._began = clock()
        # One generator per concern: how often functions die must not change which messages do.
        self._messages = random.Random(f"{plan.seed}/messages")  # noqa: S311 - to be repeated
        self._index = TopicIndex((m.topic, str(i)) for i, m in enumerate(plan.messages))
        self._signals = [
            timer
            for number, faults in enumerate(plan.functions)
            for timer in _timers(faults, f"{plan.seed}/{number}")
        ]
        self._core_kills = sorted(plan.core.kill_at_s)
        self.met: Counter[str] = Counter()

    def __call__(self, point: str, facts: Mapping[str, Any]) -> Action | None:
        if point == "router.before_enqueue":
            return self._on_message(facts["topic"])
        if point == "supervisor.tick":
            self._on_tick(facts["supervisor"])
        return None

    def _on_message(self, topic: str) -> Action | None:
        found = self._index.find(topic)
        if not found:
            return None
        faults = self._plan.messages[min(map(int, found))]
        drawn = self._messages.random()
        for kind in ("drop", "duplicate", "delay", "refuse"):
            share = getattr(faults, kind)
            if drawn < share:
                self.met[kind] += 1
                # A random delay is what reorders: messages behind this one overtake it.
                delay_s = self._messages.uniform(0, faults.delay_s) if kind == "delay" else 0.0
                return Action(kind, delay_s)
            drawn -= share
        return None

    def _on_tick(self, supervisor: Any) -> None:
        elapsed_s = self._clock() - self._began
        if self._core_kills and elapsed_s >= self._core_kills[0]:
            log.warning("fault plan: the core kills itself after %.1f s", elapsed_s)
            self._kill(os.getpid(), signal.SIGKILL)
        for timer in self._signals:
            for _ in range(timer.due(elapsed_s)):
                self._signal_one(timer, supervisor)

    def _signal_one(self, timer: Timer, supervisor: Any) -> None:
        workers = [
            worker
            for runner in supervisor.runners.values()
            if fnmatch.fnmatchcase(runner.function.id, timer.pattern)
            for worker in runner.workers.values()
        ]
        if not workers:
            return
        victim = timer.random.choice(sorted(workers, key=lambda w: w.name))
        log.warning("fault plan: %s %s (pid %d)", timer.kind, victim.name, victim.pid)
        victim.signal_group(signal.SIGKILL if timer.kind == "kill" else signal.SIGSTOP)
        self.met[timer.kind] += 1


class Timer:
    """When a signal is due: at given times, and at random ones of a given mean distance."""

    def __init__(
        self, kind: str, pattern: str, at_s: tuple[float, ...], every_s: float | None, seed: str
    ) -> None:
        self.kind = kind
        self.pattern = pattern
        self.random = random.Random(f"{seed}/{kind}")  # noqa: S311
        self._at_s = sorted(at_s)
        self._every_s = every_s
        self._next_s = self._gap_s() if every_s else float("inf")

    def _gap_s(self) -> float:
        """Exponential: kills that know no rhythm find more than those of a metronome."""
        return self.random.expovariate(1 / self._every_s) if self._every_s else float("inf")

    def due(self, elapsed_s: float) -> int:
        count = 0
        while self._at_s and self._at_s[0] <= elapsed_s:
            self._at_s.pop(0)
            count += 1
        while self._next_s <= elapsed_s:
            self._next_s += self._gap_s()
            count += 1
        return count


def _timers(faults: FunctionFaults, seed: str) -> list[Timer]:
    return [
        Timer("kill", faults.function, faults.kill_at_s, faults.kill_every_s, seed),
        Timer("freeze", faults.function, faults.freeze_at_s, faults.freeze_every_s, seed),
    ]
