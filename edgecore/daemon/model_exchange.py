"""A new model for the workers of a group that goes on: one after another, the others answer.

Splitter, aggregator, queues and ports stay. A worker gets no new images, finishes those it has,
ends, and begins with the new model; only when it answers does the next one follow. So a model
that cannot run costs one worker for as long as it is found out, and no image waits.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from contract.status import Status
from contract.topics import Topics
from edgecore.core.group import Function, Group, MachineLearningModel
from edgecore.core.options import CoreError
from edgecore.core.stats import workers
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
PAUSE_S = 60
WORKER = "FANFOLD_WORKER"
_FED = "FANFOLD_TRANSFORM_WORKERS"


def model_exchange(
    running: RunningGroup, group: Group, status: Callable[[], Status], limit_s: float
) -> ModelExchange | None:
    """None: more is different than the model of workers that stand in for one another, or the
    rest of the group is not well: then it begins anew."""
    functions = takers(running.group, group)
    ids = {function.id for function in functions}
    others = [f for f in status().get("functions", []) if f["pinned"] and f["id"] not in ids]
    if not functions or any(f["state"] != "running" for f in others):
        return None
    return ModelExchange(running, group, functions, status, limit_s)


def takers(old: Group, new: Group) -> tuple[Function, ...]:
    """The workers that take another model, where nothing else differs; else none. Pure.

    Workers that are fed tensors are none of them: both ends must change at once.
    """
    if replace(new, version=old.version, resources=old.resources) != old:
        return ()
    pairs = list(zip(old.resources, new.resources, strict=False))
    changed = [(a, b) for a, b in pairs if a != b]
    if len(old.resources) != len(new.resources) or not all(map(_is_model, changed)):
        return ()
    ids = {a.id for a, _ in changed}
    found = tuple(f for f in new.lambdas if any(each.resource_id in ids for each in f.access))
    one_kind = len({function.handler for function in found}) == 1
    return found if one_kind and all(map(_stands_alone, found)) else ()


def _is_model(pair: tuple[Any, Any]) -> bool:
    old, new = pair
    both = isinstance(old, MachineLearningModel) and isinstance(new, MachineLearningModel)
    return both and replace(new, s3_uri=old.s3_uri, path=old.path) == old


def _stands_alone(function: Function) -> bool:
    environment = function.environment
    return function.pinned and WORKER in environment and _FED not in environment


class ModelExchange:
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
        launcher = self._running.launcher
        for function in self._functions:
            if launcher.started_with.get(function.arn) == self._running.group.resources:
                continue
            if problem := await self._exchange(function):
                return problem
        return ""

    async def _exchange(self, function: Function) -> str:
        worker = function.environment[WORKER]
        before = self._seen(worker).get("incarnation")
        await self._pause(worker)
        await self._until(lambda: self._has_nothing(worker), FINISH_S)
        try:
            await asyncio.to_thread(self._running.launcher.check, function)
        except (InterpreterError, IsolationError, CoreError) as error:
            return f"function {function.id}: {error}"
        await self._running.supervisor.exchange(function)
        return await self._ready(function, worker, before)

    async def _pause(self, worker: str) -> None:
        """A splitter that does not know it sends again what its worker loses."""
        site = SiteView.of_group(self._running.group).site
        payload = json.dumps({"v": 1, "pause": [worker], "seconds": PAUSE_S}).encode()
        try:
            source = publisher_of(self._running.group, None)
        except ActionRefusedError:
            return
        outcome = self._running.router.publish(source, Topics(site).control, payload)
        await asyncio.gather(*outcome.pending)

    async def _ready(self, function: Function, worker: str, before: object) -> str:
        """Until the next process of the worker has a model and gets images."""
        loop = asyncio.get_running_loop()
        gate, began = HealthGate(loop.time(), self._limit_s), loop.time()
        while not self._is_new(worker, before):
            own = [f for f in self._status()["functions"] if f["id"] == function.id]
            if died := gate.died({"functions": own}):
                return died
            if loop.time() - began > self._limit_s:
                return f"function {function.id}: not ready after {self._limit_s:.0f} s"
            await asyncio.sleep(STEP_S)
        log.info("worker %s answers with the new model", worker)
        return ""

    async def _until(self, holds: Callable[[], bool], limit_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + limit_s
        while not holds() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(STEP_S)

    def _has_nothing(self, worker: str) -> bool:
        return self._seen(worker).get("state") != "ready" and not self._seen(worker).get("inflight")

    def _is_new(self, worker: str, before: object) -> bool:
        seen = self._seen(worker)
        fresh = seen.get("incarnation") not in (before, "", None)
        return fresh and seen.get("state") == "ready" and bool(seen.get("model"))

    def _seen(self, worker: str) -> Mapping[str, Any]:
        return workers(self._status()).get(worker, {})
