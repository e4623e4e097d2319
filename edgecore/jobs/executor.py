"""A job from the queue to its verdict, resumable at every step (docs/spec/jobs.md).

What is about to be done is on the disk before it is done; what a kill leaves undone is done
again, and doing it twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any, Protocol

from edgecore import deploy
from edgecore.core.fault_points import fault
from edgecore.jobs.artifacts import (
    ArtifactAway,
    ArtifactFailed,
    Artifacts,
)
from edgecore.jobs.choosing import Choice, choose, pending
from edgecore.jobs.cloud import JobsAway, JobsCloud, JobsRejected
from edgecore.jobs.core_update import CoreUpdate
from edgecore.jobs.document import JobDocument, JobRefused, issued_at, parse
from edgecore.jobs.files import LOOK_S, STILL_WANTED_S, JobFailedError, JobFiles, check_time
from edgecore.jobs.journal import JobRecord, Journal
from edgecore.jobs.reports import JobReports, TakenBackError
from edgecore.jobs.staging import stage
from edgecore.sources import LoadedGroup, SourceError
from edgecore.uplink.backoff import Backoff
from edgecore.uplink.iot.link import Link
from edgecore.uplink.iot.waiting import set_within

log = logging.getLogger(__name__)

AWAY = (JobsAway, ArtifactAway, JobsRejected)
ASK_EVERY_S = 3600.0
"""Notifications may be lost; the queue is asked now and then all the same."""


class Deployments(Protocol):
    """What the core does with a staged group (``edgecore.daemon.rollout``)."""

    async def deploy(self, loaded: LoadedGroup) -> None:
        """Exchange the group; how it ended is found by ``outcome``."""

    def outcome(self, deployment_id: str) -> tuple[str, str] | None:
        """``Success`` or ``Failure`` and the reason; None: not decided, or not known."""

    def is_candidate(self, deployment_id: str) -> bool:
        """Whether a canary compares its model with the one that runs."""

    async def withdraw(self, deployment_id: str, why: str) -> None:
        """End its canary, if it is being compared; the group that runs is left as it is."""


class Executor:
    """``run`` until cancelled. ``thing`` and ``site`` are this device's."""

    def __init__(  # noqa: PLR0913 - the seams, each named
        self,
        link: Link,
        state: Path,
        *,
        thing: str,
        site: str,
        deployments: Deployments,
        artifacts: Artifacts,
        backoff: Backoff | None = None,
        core_update: CoreUpdate | None = None,
    ) -> None:
        self._link, self._state = link, state
        self._thing, self._site = thing, site
        self._deployments, self._artifacts = deployments, artifacts
        self._backoff = backoff or Backoff(base_s=2.0, cap_s=60.0)
        self._core_update = core_update or CoreUpdate()
        self._wake = asyncio.Event()
        self._cloud = JobsCloud(link, self._wake.set)
        self._reports = JobReports(self._cloud, artifacts, self._core_update.version)
        self.journal = Journal.open(state / "jobs")
        self._files = JobFiles(
            self._cloud, self.journal, artifacts, state=state, thing=thing, site=site,
            still_wanted=self._still_wanted, wake=self._wake,
        )  # fmt: skip
        self._problem: str | None = None
        link.watch(self._wake.set)

    def wake(self) -> None:
        """A deployment was decided, or the queue may have changed."""
        self._wake.set()

    def status(self) -> dict[str, Any]:
        record = self.journal.current
        last = self.journal.done[-1] if self.journal.done else None
        return {
            "job": record.job_id if record else None,
            "step": record.step if record else None,
            "last": vars(last) if last else None,
            "problem": self._problem or self._files.problem,
        }

    async def run(self) -> None:
        await self._cloud.start(self._thing)
        while True:
            self._wake.clear()
            try:
                more = await self._turn()
                self._backoff.reset()
                self._problem = None
            except (*AWAY, OSError) as error:
                self._tried_again(error)
                await set_within(self._wake, self._backoff.next_s())
                continue
            if not more:
                await set_within(self._wake, ASK_EVERY_S)

    def _tried_again(self, error: Exception) -> None:
        """The world's fault, or this disk's: neither may end the taking of jobs."""
        said = str(error)
        if isinstance(error, OSError):
            place = error.filename or self.journal.folder
            said = f"{place}: {error.strerror or error}; free or repair the disk of --state"
        if said != self._problem:
            level = logging.ERROR if isinstance(error, OSError) else logging.INFO
            log.log(level, "jobs: %s; tried again", said)
        self._problem = said

    async def _turn(self) -> bool:
        """One job, or a look at the queue; whether there may be more."""
        if self._link.session is None and not self._is_deploying():
            return False
        if self.journal.current is None and not await self._take():
            return False
        record = self.journal.current
        assert record is not None  # noqa: S101 - taken above
        try:
            await self._execute(record)
        except TakenBackError as error:
            await self._deployments.withdraw(record.deployment_id, str(error))
            log.warning("job %s: %s; nothing was changed", record.job_id, error)
            self._end(record, "")
        return True

    def _is_deploying(self) -> bool:
        """From applying to the verdict the device needs no cloud."""
        record = self.journal.current
        return (
            record is not None and record.step in ("applying", "health_gate") and not record.status
        )

    async def _take(self) -> bool:
        told: set[str] = set()
        while True:  # a long queue may be listed in parts
            choice = await self._look()
            answered = {one.job_id for one, _, _ in choice.tell} - told
            if not answered:
                break
            told |= answered
        if choice.run is None:
            return False
        one = choice.run
        content = dict(one.content)
        began = time.time()
        self.journal.write(JobRecord(one.job_id, one.execution, one.version, content, began))
        fault("job.taken", job=one.job_id)
        log.info("job %s: taken", one.job_id)
        return True

    async def _look(self) -> Choice:
        """What to run of the queue; the others are told why they are not."""
        found = [
            pending(await self._cloud.describe(str(one["jobId"])), site=self._site)
            for one in await self._cloud.pending()
        ]
        choice = choose([one for one in found if one.job_id != "None"], self.journal)
        for one, status, reason in choice.tell:
            log.warning("job %s: %s: %s", one.job_id, status, reason)
            await self._reports.not_run(one, status, reason)
        return choice

    async def _execute(self, record: JobRecord) -> None:
        if not record.status:
            try:
                await self._until_decided(record, parse(record.document, site=self._site))
            except JobRefused as error:
                self._decide(record, "REJECTED", str(error))
            except (JobFailedError, ArtifactFailed, SourceError) as error:
                self._decide(record, "FAILED", str(error))
            except (*AWAY, TakenBackError, OSError):
                raise
            except Exception as error:
                # A job that this core stumbles over must not keep the next one from it.
                log.exception("job %s", record.job_id)
                said = f"this core stumbled over the job ({error!r}); its log has the traceback"
                self._decide(record, "FAILED", said)
        fault("job.decided", job=record.job_id)
        await self._reports.ended(record)
        self._end(record, record.status, issued_at(record.document))

    async def _until_decided(self, record: JobRecord, document: JobDocument) -> None:
        if record.step in ("applying", "health_gate") and await self._decided(record):
            return
        await self._change_core(record, document)
        await self._progress(record, "fetching")
        files, group = await self._files.everything(record, document)
        fault("job.fetched", job=record.job_id)
        self._note(record, "staging")
        loaded = await asyncio.to_thread(
            stage, self._state, group, document, files, record.deployment_id
        )
        fault("job.staged", job=record.job_id)
        check_time(self.journal, record, document)
        await self._progress(record, "applying")
        fault("job.before_apply", job=record.job_id)
        await self._deployments.deploy(loaded)
        fault("job.applied", job=record.job_id)
        self._note(record, "health_gate")
        if not await self._decided(record):
            raise JobFailedError("another deployment came in between")

    async def _decided(self, record: JobRecord) -> bool:
        """Waits for the health gate while the job's group is the one that runs here. False:
        it does not run and nobody has judged it, as after a kill just before the exchange."""
        asked_at = 0.0
        while (outcome := self._deployments.outcome(record.deployment_id)) is None:
            if self._deployments.is_candidate(record.deployment_id):
                if self._wake.is_set() or time.monotonic() - asked_at > STILL_WANTED_S:
                    asked_at = time.monotonic()
                    await self._still_wanted(record)
            else:
                current = await asyncio.to_thread(deploy.current, self._state)
                if current is None or current.deployment_id != record.deployment_id:
                    return False
            self._wake.clear()
            await set_within(self._wake, LOOK_S)
        status, reason = outcome
        self._decide(record, "SUCCEEDED" if status == "Success" else "FAILED", reason)
        return True

    async def _still_wanted(self, record: JobRecord) -> None:
        """Raises `TakenBackError`: until it is applied a job can be taken back, also while its
        files are waited for and while its canary runs."""
        step = "canary" if record.step == "health_gate" else record.step
        try:
            await self._reports.progress(record, step)
        except JobsAway as error:
            log.info("job %s: %s; its %s goes on", record.job_id, error, step)

    async def _change_core(self, record: JobRecord, document: JobDocument) -> None:
        """Returns where the wanted core runs. Else this process is stopped by the launcher, or
        the launcher says why it is not."""
        core = document.core
        if core is None or not self._core_update.wanted(core):
            return
        if self._core_update.folder is None:
            raise JobFailedError(
                f"the job brings core {core.version}, this is {self._core_update.version}, and no "
                "launcher started it that could change it: install the bundle, or deploy "
                "without core"
            )
        if record.step == "core" and (problem := self._core_update.failure(core)):
            raise JobFailedError(problem)
        await self._progress(record, "fetching")
        archive = await self._files.one(record, document, core.artifact)
        await self._progress(record, "core")
        fault("job.before_core", job=record.job_id)
        await asyncio.to_thread(self._core_update.request, core, archive)
        while (problem := self._core_update.failure(core)) is None:
            check_time(self.journal, record, document)
            await asyncio.sleep(LOOK_S)
        raise JobFailedError(problem)

    async def _progress(self, record: JobRecord, step: str) -> None:
        """Say it to the cloud first: a job that was canceled or timed out ends here."""
        await self._reports.progress(record, step)
        self._note(record, step)

    def _decide(self, record: JobRecord, status: str, reason: str) -> None:
        level = logging.INFO if status == "SUCCEEDED" else logging.ERROR
        log.log(level, "job %s: %s %s", record.job_id, status, reason)
        record.status, record.reason = status, reason
        self.journal.write(record)

    def _note(self, record: JobRecord, step: str) -> None:
        record.step = step
        self.journal.write(record)

    def _end(self, record: JobRecord, status: str, issued_at: float = 0.0) -> None:
        record.status = status
        self.journal.finish(issued_at)
        self._artifacts.forget()
