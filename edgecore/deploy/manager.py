"""The group that runs: begun, exchanged for a newer one, proved or rolled back.

At every moment one engine runs, or the core is between two. Whatever a new group does
(functions die, a port or an interpreter is missing, a bug of ours), the core ends up with
a group that runs: the new one, or the last that had proved itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecore.deploy.apply import apply, is_on_trial, previous, prove, rollback
from edgecore.deploy.health_gate import LIMIT_S, STEP_S, Trial, is_well, last_words
from edgecore.deploy.history import DeploymentHistory
from edgecore.deploy.refusal import refuse

if TYPE_CHECKING:
    from edgecore.core.group import Group
    from edgecore.daemon.engine import Engine
    from edgecore.sources.load import LoadedGroup

log = logging.getLogger(__name__)

Start = Callable[["Group", "Mapping[str, int | None]"], Awaitable["Engine"]]
Report = Callable[[str, str, str], None]
"""Deployment id, ``Success`` or ``Failure``, the reason."""


class Exchange:
    """``begin`` once, ``to`` for every newer group, ``close`` at the end.

    ``start`` runs a group on the given ports; ``status`` is the core's; ``report`` is told
    how each deployment ended; ``changed`` is called when another group runs.
    """

    def __init__(  # noqa: PLR0913 - the seams, each named
        self,
        state: Path,
        *,
        start: Start,
        status: Callable[[], Mapping[str, Any]],
        report: Report,
        changed: Callable[[], None],
        limit_s: float = LIMIT_S,
    ) -> None:
        self.engine: Engine | None = None
        self.loaded: LoadedGroup | None = None
        self.history = DeploymentHistory(state)
        self._state, self._limit_s = state, limit_s
        self._start, self._status, self._report, self._changed = start, status, report, changed
        self._ports: Mapping[str, int | None] = {}
        self._one_at_a_time = asyncio.Lock()
        self._trial: asyncio.Task[None] | None = None
        self._closed = False

    async def begin(self, loaded: LoadedGroup, *, on_trial: bool) -> None:
        """Run ``loaded``. Raises what ``start`` raises where there is no way back.

        ``on_trial``: go back to the group that ran here before where it is not healthy.
        """
        async with self._one_at_a_time:
            self.loaded = apply(self._state, loaded, on_trial=on_trial)
            try:
                self.engine = await self._start(self.loaded.group, {})
            except Exception as error:
                before = self._way_back()
                if before is None:
                    raise
                # Raises where that one does not start either: it is not the group's fault.
                self.engine = await self._start(before.group, {})
                self._give_up(self.loaded, str(error))
                self._changed()
                return
            self._applied()

    async def to(self, loaded: LoadedGroup) -> None:
        """Exchange the group. Never raises for the new one's fault: then the old one runs."""
        async with self._one_at_a_time:
            if self._closed:
                return
            await self._end_trial()
            self._prove_if_well()
            if self._runs_already(loaded):
                self._adopt(loaded)
                return
            self.loaded = apply(self._state, loaded, on_trial=True)
            await self._stop_engine()
            try:
                self.engine = await self._start(self.loaded.group, self._ports)
            except Exception as error:
                log.exception("deployment %s cannot be started", self.loaded.deployment_id)
                await self._failed(self.loaded, str(error) or type(error).__name__)
                return
            self._applied()

    def refuse(self, deployment_id: str, reason: str) -> None:
        """A deployment that cannot be loaded: what runs goes on."""
        log.error("deployment %s is refused: %s", deployment_id, reason)
        refuse(self._state, deployment_id, reason)
        self.history.add(deployment_id, "refused", t=time.time(), version="", detail=reason)
        self._report(deployment_id, "Failure", reason)

    async def revive(self) -> None:
        """Start the current group where none runs, because going back failed as well."""
        async with self._one_at_a_time:
            if self._closed or self.engine is not None or self.loaded is None:
                return
            self.engine = await self._start(self.loaded.group, self._ports)
            self._applied()

    async def close(self) -> None:
        """After an exchange under way; nothing starts any more."""
        async with self._one_at_a_time:
            self._closed = True
            await self._end_trial()
            await self._stop_engine()

    def _applied(self) -> None:
        if self.loaded is None:
            return
        self._remember(self.loaded, "applied")
        self._changed()
        self._trial = asyncio.ensure_future(self._watch(self.loaded))

    def _runs_already(self, loaded: LoadedGroup) -> bool:
        """Whether only the deployment's id differs: nothing needs to restart for that."""
        if self.loaded is None or self.engine is None or is_on_trial(self._state):
            return False
        return loaded.content == self.loaded.content

    def _prove_if_well(self) -> None:
        """A newer group came within the trial of one that works: that one is to go back to."""
        if self.loaded is None or self.engine is None or not is_on_trial(self._state):
            return
        if is_well(self._status()):
            prove(self._state)
            self._report(self.loaded.deployment_id, "Success", "")

    def _adopt(self, loaded: LoadedGroup) -> None:
        self.loaded = apply(self._state, loaded)
        self._remember(self.loaded, "runs already")
        self._report(self.loaded.deployment_id, "Success", "")
        self._changed()

    async def _watch(self, watched: LoadedGroup) -> None:
        """Until the group is proved or has failed."""
        loop = asyncio.get_running_loop()
        trial = Trial(loop.time(), self._limit_s)
        while (verdict := trial.verdict(self._status(), loop.time())) is None:
            await asyncio.sleep(STEP_S)
        async with self._one_at_a_time:
            self._trial = None
            if verdict is not True:
                await self._failed(watched, self._with_last_words(str(verdict)))
            else:
                prove(self._state)
                self._report(watched.deployment_id, "Success", "")

    async def _failed(self, current: LoadedGroup, problem: str) -> None:
        """The current group is not healthy: go back where there is a way back."""
        if self._way_back() is None:
            self._stay(current, problem)
            return
        await self._stop_engine()
        before = self._give_up(current, problem)
        try:
            self.engine = await self._start(before.group, self._ports)
        except Exception:
            log.exception("the previous deployment does not start either; it is tried again")
            return
        self._changed()

    def _stay(self, current: LoadedGroup, problem: str) -> None:
        """Nothing to go back to, or it worked before: its functions are tried on."""
        log.error("deployment %s is not healthy: %s", current.deployment_id, problem)
        self._remember(current, "not healthy", problem)
        if is_on_trial(self._state):
            said = f"{problem}. There is no earlier deployment to go back to"
            self._report(current.deployment_id, "Failure", said)

    def _way_back(self) -> LoadedGroup | None:
        """The group to go back to while the current one is on trial."""
        return previous(self._state) if is_on_trial(self._state) else None

    def _give_up(self, current: LoadedGroup, problem: str) -> LoadedGroup:
        """Refuse the current deployment and make the previous one current; returns that."""
        failed = current.deployment_id
        log.error("deployment %s is rolled back: %s", failed, problem)
        before = self.loaded = rollback(self._state)
        refuse(self._state, failed, problem)
        self._remember(current, "rolled back", problem)
        back = f"{problem}. The core went back to deployment {before.deployment_id}"
        self._report(failed, "Failure", back)
        return before

    def _with_last_words(self, problem: str) -> str:
        """With what the function itself said: `exited with status 1` helps nobody."""
        name = problem.removeprefix("function ").partition(":")[0]
        said = last_words(self._state / "logs" / f"{name}.log")
        return f"{problem}: {said}" if said and problem.startswith("function ") else problem

    async def _stop_engine(self) -> None:
        if self.engine is None:
            return
        stopping, self.engine = self.engine, None
        self._ports = stopping.ports
        await stopping.stop()

    async def _end_trial(self) -> None:
        if self._trial is None:
            return
        self._trial.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._trial
        self._trial = None

    def _remember(self, loaded: LoadedGroup, outcome: str, detail: str = "") -> None:
        self.history.add(
            loaded.deployment_id,
            outcome,
            t=time.time(),
            version=loaded.group.version,
            detail=detail,
        )
