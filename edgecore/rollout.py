"""Which group runs: the first one, a newer one, or the one before when the new one is ill."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from edgecore import deploy, sources
from edgecore.deploy.history import DeploymentHistory
from edgecore.engine import Engine
from edgecore.group import Group
from edgecore.options import CoreError, Options
from edgecore.sources import LoadedGroup, SourceError

log = logging.getLogger(__name__)

HEALTH_LIMIT_S = 30.0
"""``postStartHealthCheckTimeout`` of the V1 core: what died by then is not healthy."""
HEALTH_STEP_S = 0.2

Ports = Mapping[str, int | None]


class Rollout:
    """One engine at a time; ``on_change`` is called whenever another group runs."""

    def __init__(
        self,
        options: Options,
        new_engine: Callable[[Group], Engine],
        on_change: Callable[[], None],
    ) -> None:
        self._options = options
        self._new_engine = new_engine
        self._on_change = on_change
        self._refused: str | None = None
        self._history = DeploymentHistory(options.state)
        self.engine: Engine | None = None
        self.loaded: LoadedGroup | None = None

    async def first_group(self) -> LoadedGroup:
        """The source's group; where the source is away, the one that ran last.

        Raises SourceError: there is neither.
        """
        options = self._options
        try:
            return await self._load()
        except SourceError:
            last = await asyncio.to_thread(deploy.current, options.state)
            if last is None or not options.group.startswith("greengrass:"):
                raise
            log.exception("%s: running the last deployment instead", options.group)
            return last

    async def begin(self, loaded: LoadedGroup) -> None:
        """Run the first group. Raises CoreError."""
        self.loaded = deploy.apply(self._options.state, loaded)
        self.engine = await self._run(self.loaded)
        self._remember(self.loaded, "applied")

    async def stop(self) -> None:
        if self.engine is not None:
            await self.engine.stop()

    async def poll(self) -> None:
        """Ask for a newer deployment; a source that is away is asked again, not an error."""
        options = self._options
        while True:
            await asyncio.sleep(options.poll_s)
            try:
                newer = await asyncio.to_thread(
                    sources.check_newer,
                    options.group,
                    current=self.loaded.deployment_id if self.loaded else None,
                    endpoint_url=options.endpoint_url,
                    region=options.region,
                )
                if newer is not None and newer != self._refused:
                    await self._redeploy(newer)
            except (SourceError, CoreError) as error:
                log.warning("deployment: %s", error)
            except Exception:
                log.exception("polling for a deployment failed")

    def status(self) -> Mapping[str, Any]:
        """``group`` of ``/api/status``."""
        loaded = self.loaded
        group = loaded.group if loaded is not None else None
        return {
            "name": group.name if group else None,
            "id": group.id if group else None,
            "version": group.version if group else None,
            "deployment": loaded.deployment_id if loaded else None,
            "applied_at": deploy.applied_at(self._options.state),
            "history": self._history.entries[-20:],
        }

    async def _load(self) -> LoadedGroup:
        options = self._options
        return await asyncio.to_thread(
            sources.load,
            options.group,
            state=options.state,
            endpoint_url=options.endpoint_url,
            region=options.region,
        )

    async def _run(self, loaded: LoadedGroup, ports: Ports | None = None) -> Engine:
        engine = self._new_engine(loaded.group)
        try:
            await engine.start(ports)
        except BaseException:
            await engine.stop()
            raise
        return engine

    async def _redeploy(self, deployment_id: str) -> None:
        """Exchange the group; go back where the new one is not healthy."""
        loaded = await self._load()
        old = self.engine
        ports: Ports = old.ports if old is not None else {}
        self.loaded = deploy.apply(self._options.state, loaded)
        self.engine = None
        if old is not None:
            await old.stop()
        try:
            self.engine = await self._run(self.loaded, ports)
            self._on_change()
            problem = await _unhealthy(self.engine)
        except CoreError as error:
            problem = str(error)
        if problem is None:
            self._remember(self.loaded, "applied")
        else:
            await self._roll_back(deployment_id, problem, ports)
        self._on_change()

    async def _roll_back(self, deployment_id: str, problem: str, ports: Ports) -> None:
        log.error("deployment %s is rolled back: %s", deployment_id, problem)
        if self.engine is not None:
            failed, self.engine = self.engine, None
            await failed.stop()
        if self.loaded is not None:
            self._remember(self.loaded, "rolled back", problem)
        self._refused = deployment_id
        self.loaded = deploy.rollback(self._options.state)
        self.engine = await self._run(self.loaded, ports)

    def _remember(self, loaded: LoadedGroup, outcome: str, detail: str = "") -> None:
        self._history.add(
            loaded.deployment_id,
            outcome,
            t=time.time(),
            version=loaded.group.version,
            detail=detail,
        )


async def _unhealthy(engine: Engine) -> str | None:
    """Why the new group is not healthy: a pinned function died before it ran. None: it is."""
    for _ in range(int(HEALTH_LIMIT_S / HEALTH_STEP_S)):
        pinned = [f for f in engine.supervisor.status() if f["pinned"]]
        died = [f for f in pinned if f["restarts"] or f["state"] in ("backoff", "crash_loop")]
        if died:
            return f"function {died[0]['id']}: {died[0]['last_error']}"
        if all(f["state"] == "running" for f in pinned):
            return None
        await asyncio.sleep(HEALTH_STEP_S)
    return None  # slow to start is not dead: a model may load for minutes
