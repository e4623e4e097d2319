"""A new model for the workers of a group that goes on: half of them, then the other half.

Splitter, aggregator, queues and ports stay. A worker gets no new images, finishes those it has,
ends, and begins with the new model. The first half waits with it until all of it is ready, while
the second answers; then they change roles. So a model that cannot run costs one worker for as
long as it is found out, no image waits, and no image is the old model's after the new one's.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from contract.model_pin import PIN
from contract.status import Status
from contract.topics import Topics
from edgecore.core.group import Function, Group, MachineLearningModel
from edgecore.core.options import CoreError
from edgecore.core.stats import DRAINED, workers
from edgecore.daemon.operator import publisher_of
from edgecore.daemon.running_group import RunningGroup
from edgecore.deploy.health_gate import HealthGate
from edgecore.supervisor.identity import IsolationError
from edgecore.supervisor.interpreters import InterpreterError
from edgecore.web.dashboard.ports import ActionRefusedError, SiteView

log = logging.getLogger(__name__)

STEP_S = 0.1
FINISH_S = 5.0
"""For the images in hand; what takes longer is given to others when the worker is back."""
PAUSE_S = 3_600
"""Longer than any gate; a pause ends with the splitter's process anyway."""
WORKER = "FANFOLD_WORKER"
_FED = "FANFOLD_TRANSFORM_WORKERS"


def model_swap(
    running: RunningGroup, group: Group, status: Callable[[], Status], limit_s: float
) -> ModelSwap | None:
    """None: more is different than the model of workers that stand in for one another, or the
    rest of the group is not well: then it begins anew."""
    functions = takers(running.group, group)
    ids = {function.id for function in functions}
    others = [f for f in status().get("functions", []) if f["pinned"] and f["id"] not in ids]
    if not functions or any(f["state"] != "running" for f in others):
        return None
    return ModelSwap(running, group, functions, status, limit_s)


def takers(old: Group, new: Group) -> tuple[Function, ...]:
    """The workers that take another model, where nothing else differs; else none. Pure.

    Workers that are fed tensors are none of them: both ends must change at once.
    """
    if _rest(replace(new, version=old.version, resources=old.resources)) != _rest(old):
        return ()
    pairs = list(zip(old.resources, new.resources, strict=False))
    changed = [(a, b) for a, b in pairs if a != b]
    if len(old.resources) != len(new.resources) or not all(map(_is_model, changed)):
        return ()
    ids = {a.id for a, _ in changed}
    found = tuple(f for f in new.lambdas if any(each.resource_id in ids for each in f.access))
    one_kind = len({function.handler for function in found}) == 1
    return found if one_kind and all(map(_stands_alone, found)) else ()


def _rest(group: Group) -> Group:
    """Without the hash of a published model, which is as much the model's as its place is."""
    functions = tuple(
        replace(each, environment={k: v for k, v in each.environment.items() if k != PIN})
        for each in group.functions
    )
    return replace(group, functions=functions)


def _is_model(pair: tuple[Any, Any]) -> bool:
    old, new = pair
    both = isinstance(old, MachineLearningModel) and isinstance(new, MachineLearningModel)
    return both and replace(new, s3_uri=old.s3_uri, path=old.path) == old


def _stands_alone(function: Function) -> bool:
    environment = function.environment
    return function.pinned and WORKER in environment and _FED not in environment


class ModelSwap:
    """``run`` to its end, or cancel it: then the next one exchanges all of them again."""

    def __init__(
        self,
        running: RunningGroup,
        group: Group,
        functions: tuple[Function, ...],
        status: Callable[[], Status],
        limit_s: float,
    ) -> None:
        self._running, self._functions = running, functions
        self._status, self._limit_s = status, limit_s
        running.become(group)

    async def run(self) -> str:
        """Empty, or why a worker does not answer with the new model."""
        given, wanted = self._running.launcher.started_with, self._running.group.resources
        old = [f for f in self._functions if given.get(f.arn) != wanted]
        new = [f for f in self._functions if f not in old]
        if not new:
            half = (len(old) + 1) // 2
            first, new, old = old[:1], old[:half], old[half:]
            # Alone, so that a model that cannot run costs one worker.
            if problem := await self._swap(first) or await self._swap(new[1:]):
                return problem
        # From here on the new model alone gets images: no later one is the old model's.
        await self._send_pause(old, PAUSE_S)
        await self._send_pause(new, 0)
        problem = await self._swap(old)
        await self._send_pause(old, 0)
        return problem

    async def _swap(self, functions: list[Function]) -> str:
        """All at once: they end with no images, and begin with the new model and get none."""
        await self._send_pause(functions, PAUSE_S)
        problems = await asyncio.gather(*map(self._swap_one, functions))
        return next(filter(None, problems), "")

    async def _swap_one(self, function: Function) -> str:
        worker = function.environment[WORKER]
        before = _seen(self._status(), worker).get("incarnation")
        await self._until(lambda: self._has_nothing(worker), FINISH_S)
        try:
            await asyncio.to_thread(self._running.launcher.check, function)
        except (InterpreterError, IsolationError, CoreError) as error:
            return f"function {function.id}: {error}"
        await self._running.supervisor.swap(function)
        return await self._ready(function, worker, before)

    async def _send_pause(self, functions: list[Function], pause_s: int) -> None:
        """A splitter that does not know it sends again what its worker loses."""
        site = SiteView.of_group(self._running.group).site
        named = [function.environment[WORKER] for function in functions]
        payload = json.dumps({"v": 1, "pause": named, "seconds": pause_s}).encode()
        try:
            source = publisher_of(self._running.group, None)
        except ActionRefusedError:
            return
        if named:
            outcome = self._running.router.publish(source, Topics(site).control, payload)
            await asyncio.gather(*outcome.pending)

    async def _ready(self, function: Function, worker: str, before: object) -> str:
        """Until the next process of the worker has a model."""
        loop = asyncio.get_running_loop()
        gate, began = HealthGate(loop.time(), self._limit_s), loop.time()
        while not _is_new(status := self._status(), worker, before):
            own = [f for f in status["functions"] if f["id"] == function.id]
            if died := gate.died({"functions": own}):
                return died
            if loop.time() - began > self._limit_s:
                return f"function {function.id}: not ready after {self._limit_s:.0f} s"
            await asyncio.sleep(STEP_S)
        log.info("worker %s has the new model", worker)
        return ""

    async def _until(self, holds: Callable[[], bool], limit_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + limit_s
        while not holds() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(STEP_S)

    def _has_nothing(self, worker: str) -> bool:
        seen = _seen(self._status(), worker)
        return seen.get("state") != "ready" and not seen.get("inflight")


def _is_new(status: Status, worker: str, before: object) -> bool:
    seen = _seen(status, worker)
    fresh = seen.get("incarnation") not in (before, "", None)
    return fresh and seen.get("state") in ("ready", *DRAINED) and bool(seen.get("model"))


def _seen(status: Status, worker: str) -> Mapping[str, Any]:
    return workers(status).get(worker, {})
