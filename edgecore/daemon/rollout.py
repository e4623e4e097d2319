"""Where the group comes from and when there is a newer one; the deployment manager runs it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping

from contract.status import GroupStatus, Refusal, Status
from edgecore import deploy, sources
from edgecore.canary import Canaries
from edgecore.components import by_components
from edgecore.core.group import Group
from edgecore.core.options import CoreError, Options
from edgecore.core.verdict.processes import WAITING
from edgecore.daemon.component_group import offered_or_last
from edgecore.daemon.model_swap import ModelSwap, model_swap
from edgecore.daemon.running_group import RunningGroup
from edgecore.daemon.waiting_group import BY_JOBS, last_or_waiting
from edgecore.sources import LoadedGroup, SourceError
from edgecore.sources.errors import MISSING

log = logging.getLogger(__name__)

Ports = Mapping[str, int | None]


def _nobody() -> None:
    pass


class Rollout:
    """One group at a time; ``on_change`` is called whenever another group runs.

    ``status`` is the core's (docs/spec/core.md): a new group is judged by it.
    """

    def __init__(
        self,
        options: Options,
        make_running_group: Callable[[Group], RunningGroup],
        on_change: Callable[[], None],
        status: Callable[[], Status],
        canaries: Canaries,
    ) -> None:
        self._options = options
        self._canaries, self._then = canaries, False
        self._make_running_group, self._core_status = make_running_group, status
        # A file is what its user wants, and no other: only what is pulled can be refused.
        self._pulls = options.group.startswith("greengrass:")
        self._by_jobs = options.group == BY_JOBS
        self._by_components = by_components(options.group)
        self._outcomes: dict[str, tuple[str, str]] = {}
        self.decided: Callable[[], None] = _nobody
        """Called when it is known how a deployment ended."""
        self._reporter = deploy.Reporter(
            options.endpoint_url or os.environ.get("AWS_ENDPOINT_URL") or None,
            options.region or os.environ.get("AWS_REGION") or "us-east-1",
            options.poll_s,
        )
        self._manager: deploy.DeploymentManager[RunningGroup] = deploy.DeploymentManager(
            options.state,
            start=self._run,
            status=status,
            report=self._report,
            changed=on_change,
            limit_s=options.health_s,
            canary=canaries.begin,
            on_commit=canaries.committed,
            exchange=self._swap,
        )

    @property
    def running_group(self) -> RunningGroup | None:
        return self._manager.running_group

    @property
    def loaded(self) -> LoadedGroup | None:
        return self._manager.loaded

    async def first_group(self) -> LoadedGroup:
        """The source's group; where it is away or was refused here, the one that ran last.

        Raises SourceError: there is neither.
        """
        options = self._options
        if self._by_jobs:
            return await asyncio.to_thread(last_or_waiting, options)
        if self._by_components:
            offered = await asyncio.to_thread(offered_or_last, options)
            return self._first(
                await asyncio.to_thread(deploy.last_readable, options.state), offered
            )
        if not self._pulls:
            file = await self._load()
            return self._of_file(await asyncio.to_thread(deploy.last_readable, options.state), file)
        last = await asyncio.to_thread(deploy.current, options.state)
        try:
            if last is not None and not await self._newer(last.deployment_id):
                return last
            return self._first(last, await self._load())
        except SourceError:
            if last is None:
                raise
            log.exception("%s: running the last deployment instead", options.group)
            return last

    def _of_file(self, last: LoadedGroup | None, loaded: LoadedGroup) -> LoadedGroup:
        """A file is what its user wants, unless its model has failed live images here."""
        refusal = deploy.refused(self._options.state)
        if refusal is None:
            return self._first(last, loaded)
        if refusal.deployment != loaded.deployment_id:
            deploy.forget(self._options.state)
        elif last is not None:
            log.error(
                "%s: not tried again, deployment %s runs instead: %s",
                self._options.group, last.deployment_id, refusal.reason,
            )  # fmt: skip
            return last
        return self._first(last, loaded)

    def _first(self, last: LoadedGroup | None, loaded: LoadedGroup) -> LoadedGroup:
        """The last one again, where the new model is compared with it first."""
        self._then = last is not None and self._canaries.find(last, loaded) is not None
        return last if self._then and last is not None else loaded

    async def begin(self, loaded: LoadedGroup) -> None:
        """Run the first group. Raises CoreError."""
        waits = loaded.deployment_id == WAITING
        told = self._by_jobs or self._by_components
        await self._manager.begin(loaded, uncommitted=self._pulls or (told and not waits))
        if self._then and not (self._pulls or told):
            # Loaded anew: what was staged beside another group is gone when that one runs.
            await self._manager.switch_to(await self._load())

    async def deploy(self, loaded: LoadedGroup) -> None:
        """Another group instead of the one that runs; ``outcome`` tells how it ended."""
        self._outcomes.pop(loaded.deployment_id, None)
        await self._manager.switch_to(loaded)

    def outcome(self, deployment_id: str) -> tuple[str, str] | None:
        """``Success`` or ``Failure`` and the reason, also of a core before this one."""
        if told := self._outcomes.get(deployment_id):
            return told
        if self.is_candidate(deployment_id):
            return None
        refusal = deploy.refused(self._options.state)
        if refusal is not None and refusal.deployment == deployment_id:
            return "Failure", refusal.reason
        loaded = self.loaded
        runs = loaded is not None and loaded.deployment_id == deployment_id
        committed = runs and not deploy.is_uncommitted(self._options.state)
        return ("Success", "") if committed else None

    def is_candidate(self, deployment_id: str) -> bool:
        """Whether its model is being compared with the one that runs."""
        candidate = self._manager.candidate
        return candidate is not None and candidate.deployment_id == deployment_id

    async def withdraw(self, deployment_id: str, why: str) -> None:
        """Whoever brought it has taken it back while its model was being compared."""
        await self._manager.withdraw(deployment_id, why)

    async def stop(self) -> None:
        """After a deployment under way; reports to the cloud that this core leaves."""
        await self._manager.close()
        if self._pulls and self.loaded is not None:
            await self._reporter.deliver(self.loaded.group.id, leaving=True)

    async def poll(self) -> None:
        """Ask for a newer deployment; a source that is away is asked again, not an error."""
        logged = ""
        while True:
            await asyncio.sleep(self._options.poll_s)
            try:
                await self._follow()
                logged = ""
            except (SourceError, CoreError) as error:
                if str(error) != logged:
                    log.warning("deployment: %s", error)
                logged = str(error)
            except Exception:
                log.exception("polling for a deployment failed")

    def status(self) -> GroupStatus:
        """``group`` of ``/api/status``."""
        loaded = self.loaded
        group = loaded.group if loaded is not None else None
        return {
            "name": group.name if group else None,
            "id": group.id if group else None,
            "version": group.version if group else None,
            "deployment": loaded.deployment_id if loaded else None,
            "applied_at": deploy.applied_at(self._options.state),
            "uncommitted": deploy.is_uncommitted(self._options.state),
            "running": self.running_group is not None,
            "refused": self._refused(),
            "trial": self._manager.trial.status() if self._manager.trial else None,
            "history": self._manager.history.entries[-20:],
        }

    def _refused(self) -> Refusal | None:
        refusal = deploy.refused(self._options.state)
        if refusal is None:
            return None
        return {"deployment": refusal.deployment, "reason": refusal.reason}

    def _report(self, deployment_id: str, status: str, reason: str) -> None:
        self._outcomes[deployment_id] = (status, reason)
        self._reporter(deployment_id, status, reason)
        self.decided()

    async def _follow(self) -> None:
        await self._manager.revive()
        if not self._pulls or self.loaded is None:
            return
        await self._reporter.deliver(self.loaded.group.id)
        newer = await self._newer(self.loaded.deployment_id)
        if newer is None or self.is_candidate(newer):
            return
        try:
            loaded = await self._load()
        except SourceError as error:
            if error.exit_code == MISSING:
                raise  # away, which says nothing about the deployment
            self._manager.refuse(newer, str(error))
        else:
            await self._manager.switch_to(loaded)

    async def _newer(self, current: str) -> str | None:
        """The id of a deployment that is neither ``current`` nor refused here."""
        options = self._options
        newer = await asyncio.to_thread(
            sources.check_newer,
            options.group,
            current=current,
            endpoint_url=options.endpoint_url,
            region=options.region,
        )
        refusal = deploy.refused(options.state)
        return None if refusal is not None and newer == refusal.deployment else newer

    async def _load(self) -> LoadedGroup:
        options = self._options
        return await asyncio.to_thread(
            sources.load,
            options.group,
            state=options.state,
            endpoint_url=options.endpoint_url,
            region=options.region,
            device_certificates=options.device_certificates,
        )

    def _swap(self, running: RunningGroup, group: Group) -> ModelSwap | None:
        return model_swap(running, group, self._core_status, self._options.health_s)

    async def _run(self, group: Group, ports: Ports) -> RunningGroup:
        running_group = self._make_running_group(group)
        try:
            await running_group.start(ports)
        except BaseException:
            await running_group.stop()
            raise
        return running_group
