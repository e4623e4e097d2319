"""One canary from its start to its sentence; the group that serves never waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from contract.status import CanaryStatus, FunctionStatus
from edgecore.canary.comparison import Comparison
from edgecore.canary.copies import Copies
from edgecore.canary.lane import COMPARER, Lane, Topics
from edgecore.canary.mirror import Differ, Mirror
from edgecore.canary.report import FORMAT, ReportStore
from edgecore.canary.rule import CanaryRule
from edgecore.core.group import Group
from edgecore.core.observers import Offered
from edgecore.core.options import HEALTH_LIMIT_S
from edgecore.core.router import Target
from edgecore.deploy.health_gate import HealthGate, with_last_log_error

log = logging.getLogger(__name__)

STEP_S = 0.2
SAVE_EVERY_S = 5.0


class RunningLane(Protocol):
    """The lane's group, running."""

    def publish(self, source: str, topic: str, payload: bytes) -> object: ...

    def functions(self) -> list[FunctionStatus]: ...

    async def stop(self) -> None: ...


class Listeners(Protocol):
    """The hub of the messages of the group that serves."""

    def add(self, observer: Offered) -> None: ...

    def remove(self, observer: Offered) -> None: ...


StartLane = Callable[[Group, Mapping[str, Target]], Awaitable[RunningLane]]
"""Runs the lane's group; its messages to ``COMPARER`` go to the given target."""


class _Comparer:
    """The mirror as a target of the lane's subscriptions."""

    costs = 0

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def offer(self, _source: str, topic: str, payload: bytes) -> bool:
        self._mirror.take(topic, payload)
        return True


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a canary is made of; the same for every canary of a core."""

    state: Path
    report_store: ReportStore
    listeners: Listeners
    start_lane: StartLane
    health_s: float = HEALTH_LIMIT_S
    differ: Differ = lambda _old, _new, _name: None


class RunningCanary:
    """``run`` once; ``status`` at any time."""

    def __init__(
        self, parts: Parts, rule: CanaryRule, lane: Lane, topics: Topics, deployment: str
    ) -> None:
        self._parts, self._rule, self._lane = parts, rule, lane
        self._comparison = Comparison(rule)
        self._mirror = Mirror(
            lane, topics, self._comparison, Copies(topics.images_dir), time.monotonic
        )
        self._mirror.differ = parts.differ
        before = parts.report_store.report() or {}
        again = before.get("deployment") == deployment and before.get("state") == "ended"
        self._facts: CanaryStatus = {
            "v": FORMAT, "deployment": deployment, "state": "starting", "reason": "",
            "rule": asdict(rule), "began": time.time(), "ended": None,
            "starts": (before.get("starts") or 1) + 1 if again else 1,
        }  # fmt: skip

    def status(self) -> CanaryStatus:
        summary: Any = self._comparison.summary()
        return {
            **self._facts, **summary,
            "model": self._mirror.model, "against": self._mirror.against,
            "not_comparable": summary["not_comparable"] + self._mirror.expired,
        }  # fmt: skip

    async def run(self) -> str:
        """Why the new model may not serve; "": it may. Cancelled, it says that it ended."""
        # Whatever ends this process leaves the word that it is to begin again.
        await self._keep_so_far()
        state, reason = "ended", "a newer deployment came, it was taken back, or the core ended"
        try:
            reason = await self._compared()
            state = "refused" if reason else "passed"
        except Exception as error:
            log.exception("canary of deployment %s", self._facts["deployment"])
            state, reason = "refused", f"it could not run: {error or type(error).__name__}"
        finally:
            self._facts = {**self._facts, "ended": time.time(), "state": state, "reason": reason}
            self._parts.report_store.keep(self._report())
        log.log(
            logging.ERROR if reason else logging.INFO,
            "canary of deployment %s: %s", self._facts["deployment"], reason or "passed",
        )  # fmt: skip
        return f"canary: {reason}" if reason else ""

    async def _compared(self) -> str:
        mirror = self._mirror
        await asyncio.to_thread(mirror.prepare)
        running = await self._parts.start_lane(self._lane.group, {COMPARER: _Comparer(mirror)})
        try:
            mirror.publish = lambda topic, payload: running.publish(COMPARER, topic, payload)
            self._parts.listeners.add(mirror)
            return await self._judged(running)
        finally:
            self._parts.listeners.remove(mirror)
            await running.stop()
            await mirror.close()

    async def _judged(self, running: RunningLane) -> str:
        loop = asyncio.get_running_loop()
        gate = HealthGate(loop.time())
        began = saved = loop.time()
        while True:
            await asyncio.sleep(STEP_S)
            now, functions = loop.time(), running.functions()
            self._look_for_ends(functions)
            if died := gate.died({"functions": functions}):
                return f"its worker ended: {with_last_log_error(self._parts.state, died)}"
            await self._mirror.tick()
            if self._mirror.ready and self._facts["state"] == "starting":
                self._facts["state"], began = "comparing", now
            if self._facts["state"] == "starting":
                if now - began > self._parts.health_s:
                    return f"no canary worker was ready after {self._parts.health_s:.0f} s"
                continue
            answer = self._comparison.verdict(time_is_up=now - began > self._rule.limit_s)
            if answer is not None:
                return "" if answer is True else str(answer)
            if now - saved > SAVE_EVERY_S:
                saved = now
                await self._keep_so_far()

    def _look_for_ends(self, functions: list[FunctionStatus]) -> None:
        """A process that was replaced in between is known by its successor's hello."""
        for function in functions:
            if function["state"] in ("backoff", "crash_loop", "hung"):
                self._mirror.gone(function["id"])

    async def _keep_so_far(self) -> None:
        """The word that it ended is there for when nobody can write another."""
        unfinished: CanaryStatus = {
            **self._report(), "state": "ended", "reason": "the core ended before it was decided",
        }  # fmt: skip
        await asyncio.to_thread(self._parts.report_store.keep, unfinished)

    def _report(self) -> CanaryStatus:
        return {**self.status(), "worst": self._comparison.worst}
