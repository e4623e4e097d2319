"""Deployments: started, replaced by a newer one, committed or rolled back.

Whatever a new group does (functions die, a port is missing, a bug of ours), the core ends up
with a group that runs: the new one, or the last that was committed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from contract.status import Status
from edgecore.core.options import HEALTH_LIMIT_S
from edgecore.deploy import trial
from edgecore.deploy.candidate import Candidate
from edgecore.deploy.health_gate import STEP_S, HealthGate, is_healthy, with_last_log_error
from edgecore.deploy.interfaces import (
    FindCanary,
    FindSwap,
    R,
    Report,
    Start,
    Swap,
    begun,
    ended,
    no_canary,
    no_swap,
    nobody,
    now,
)
from edgecore.deploy.outcomes import Outcomes

if TYPE_CHECKING:
    from edgecore.sources.load import LoadedGroup

log = logging.getLogger(__name__)


class DeploymentManager(Generic[R]):
    """``begin`` once, ``switch_to`` every newer group, ``close`` at the end.

    ``start`` runs a group on the given ports; ``status`` is the core's; ``report`` is called
    with how each deployment ended; ``changed`` when another group runs; ``on_commit`` with each
    group that has passed its trial.
    """

    def __init__(  # noqa: PLR0913 - the seams, each named
        self,
        state: Path,
        *,
        start: Start[R],
        status: Callable[[], Status],
        report: Report,
        changed: Callable[[], None],
        limit_s: float = HEALTH_LIMIT_S,
        exchange: FindSwap[R] = no_swap,
        canary: FindCanary = no_canary,
        on_commit: Callable[[LoadedGroup], None] = nobody,
    ) -> None:
        self.running_group: R | None = None
        self.loaded: LoadedGroup | None = None
        self.trial: trial.Trial | None = None
        self._outcomes = Outcomes(state, report)
        self.history = self._outcomes.history
        self._candidate = Candidate(self._outcomes, self._decided)
        self._state, self._limit_s = state, limit_s
        self._start, self._status, self._changed = start, status, changed
        self._find_canary, self._on_commit = canary, on_commit
        self._find_exchange = exchange
        self._model_swap: Swap | None = None
        self._ports: Mapping[str, int | None] = {}
        self._one_at_a_time = asyncio.Lock()
        self._health_task: asyncio.Task[None] | None = None
        self._closed = False

    async def begin(self, loaded: LoadedGroup, *, uncommitted: bool) -> None:
        """Run ``loaded``. Raises what ``start`` raises where there is no way back.

        ``uncommitted``: go back to the group that ran here before if it is not healthy.
        """
        async with self._one_at_a_time:
            applied = self.loaded = self._outcomes.apply(loaded, uncommitted=uncommitted)
            try:
                self.running_group = await self._start(applied.group, {})
            except Exception as error:
                before = self._outcomes.way_back()
                if before is None:
                    raise
                # Raises where that one does not start either: it is not the group's fault.
                self.running_group = await self._start(before.group, {})
                self._give_up(applied, str(error))
                self._changed()
                return
            self._applied()

    async def switch_to(self, loaded: LoadedGroup) -> None:
        """Replace the group. Never raises for the new one's fault: then the old one runs."""
        async with self._one_at_a_time:
            if self._closed:
                return
            await self._candidate.stop()
            canary = self._find_canary(self.loaded, loaded) if self.loaded else None
            if canary is None or self.running_group is None:
                await self._switch(loaded)
                return
            self._candidate.compare(canary, loaded)

    async def withdraw(self, deployment_id: str, why: str) -> None:
        """End the comparison of a deployment that whoever brought it has taken back."""
        async with self._one_at_a_time:
            if self.candidate is not None and self.candidate.deployment_id == deployment_id:
                await self._candidate.stop(why)

    @property
    def candidate(self) -> LoadedGroup | None:
        """The group whose model is being compared with that of ``loaded``."""
        return self._candidate.loaded

    async def _decided(self, loaded: LoadedGroup, reason: str) -> None:
        """A comparison is over: the new group replaces the running one, or is refused."""
        async with self._one_at_a_time:
            if reason:
                self.refuse(loaded.deployment_id, reason)
            elif not self._closed:
                await self._switch(loaded)

    async def _switch(self, loaded: LoadedGroup) -> None:
        await self._stop_health_gate()
        self._commit_if_healthy()
        if self._runs_already(loaded):
            self._adopt(loaded)
            return
        applied = self.loaded = self._outcomes.apply(loaded, uncommitted=True)
        if self._goes_on(applied):
            self._applied()
            return
        await self._stop_running_group()
        try:
            self.running_group = await self._start(applied.group, self._ports)
        except Exception as error:
            log.exception("deployment %s cannot be started", applied.deployment_id)
            await self._failed(applied, str(error) or type(error).__name__)
            return
        self._applied()

    def refuse(self, deployment_id: str, reason: str) -> None:
        """A deployment that cannot be loaded: what runs goes on."""
        self._outcomes.refuse(deployment_id, reason)

    async def revive(self) -> None:
        """Start the current group where none runs, because going back failed as well."""
        async with self._one_at_a_time:
            if self._closed or self.running_group is not None or self.loaded is None:
                return
            self.running_group = await self._start(self.loaded.group, self._ports)
            self._applied()

    async def close(self) -> None:
        """After a deployment under way; nothing starts any more."""
        async with self._one_at_a_time:
            self._closed = True
            await self._candidate.interrupt()
            await self._stop_health_gate()
            await self._stop_running_group()

    def _applied(self) -> None:
        if self.loaded is not None:
            self._outcomes.remember(self.loaded, "applied")
            self._changed()
            self._health_task = begun(self._watch(self.loaded))

    def _runs_already(self, loaded: LoadedGroup) -> bool:
        """Whether only the deployment's id differs: nothing needs to restart for that."""
        if self.loaded is None or self.running_group is None or self._outcomes.is_uncommitted():
            return False
        return loaded.content == self.loaded.content

    def _commit_if_healthy(self) -> None:
        """A newer group came before a healthy one was committed: commit that one first."""
        if self.loaded is None or self.running_group is None or not self._outcomes.is_uncommitted():
            return
        if self._model_swap is not None:  # some of its workers have the old model
            return
        if is_healthy(self._status()):
            self._outcomes.commit(self.loaded)

    def _adopt(self, loaded: LoadedGroup) -> None:
        self.loaded = self._outcomes.adopt(loaded)
        self._changed()

    async def _watch(self, watched: LoadedGroup) -> None:
        """Until the health gate passes or fails."""
        in_place = self._model_swap is not None
        if problem := await self._exchanged():
            async with self._one_at_a_time:
                self._health_task = None
                await self._failed(watched, with_last_log_error(self._state, problem))
            return
        before = (trial.counted(self._status()) if in_place else None) or trial.Tally()
        gate = HealthGate(now(), self._limit_s)
        while (answer := gate.check(self._status(), now())) is None:
            await asyncio.sleep(STEP_S)
        async with self._one_at_a_time:
            self._health_task = None
            if answer is not True:
                await self._failed(watched, with_last_log_error(self._state, str(answer)))
                return
            self._outcomes.commit(watched)
            self._health_task = begun(self._watch_images(watched, before))

    def _goes_on(self, new: LoadedGroup) -> bool:
        """Whether what runs becomes this group by an exchange of its model."""
        running = self.running_group
        found = self._find_exchange(running, new.group) if running is not None else None
        self._model_swap = found
        return found is not None

    async def _exchanged(self) -> str:
        """The exchange that is due, to its end."""
        due = self._model_swap
        problem = await due.run() if due is not None else ""
        self._model_swap = None
        return problem

    async def _watch_images(self, watched: LoadedGroup, before: trial.Tally) -> None:
        """The first live images of a group that has passed its health gate."""
        tally = trial.read(watched.folder)
        rule = trial.rule_of(watched.group.site_environment)
        answer: bool | str | None = True
        if tally is not None and rule.images and self._outcomes.before() is not None:
            self.trial = trial.Trial(rule, tally, now(), before)
            answer = await self.trial.watch(watched.folder, self._status, now)
        async with self._one_at_a_time:
            self._health_task = self.trial = None
            if answer is not True:
                await self._go_back(watched, str(answer))
                return
            trial.end(watched.folder)
            self._on_commit(watched)

    async def _failed(self, current: LoadedGroup, problem: str) -> None:
        """The current group is not healthy: go back where there is a way back."""
        if self._outcomes.way_back() is None:
            self._outcomes.stay(current, problem)
            return
        await self._go_back(current, problem)

    async def _go_back(self, current: LoadedGroup, problem: str) -> None:
        way = self._outcomes.before()
        goes_on = way is not None and self._goes_on(way)
        if not goes_on:
            await self._stop_running_group()
        before = self._give_up(current, problem)
        if goes_on:
            self._changed()
            self._health_task = begun(self._back_in_place(before))
            return
        try:
            self.running_group = await self._start(before.group, self._ports)
        except Exception:
            log.exception("the previous deployment does not start either; it is tried again")
            return
        self._changed()
        self._health_task = begun(self._watch_images(before, trial.Tally()))

    async def _back_in_place(self, before: LoadedGroup) -> None:
        if problem := await self._exchanged():
            log.error("going back: %s; it is tried again", problem)
            return
        counted = trial.counted(self._status()) or trial.Tally()
        await self._watch_images(before, counted)

    def _give_up(self, current: LoadedGroup, problem: str) -> LoadedGroup:
        before = self.loaded = self._outcomes.roll_back()
        self._outcomes.give_up(current, problem, before)
        return before

    async def _stop_running_group(self) -> None:
        if self.running_group is None:
            return
        stopping, self.running_group = self.running_group, None
        self._ports = stopping.ports
        await stopping.stop()

    async def _stop_health_gate(self) -> None:
        await ended(self._health_task)
        self._health_task = self.trial = None
