"""What the cloud is told of a job: its steps, its terminal status, and what it answers to that."""

from __future__ import annotations

import logging

from edgecore.jobs.artifacts import Artifacts
from edgecore.jobs.choosing import Pending
from edgecore.jobs.cloud import JobsCloud, JobsRejected
from edgecore.jobs.journal import JobRecord

log = logging.getLogger(__name__)

#: Statuses of an execution that is still this device's.
OURS = ("QUEUED", "IN_PROGRESS")


class TakenBackError(Exception):
    """The cloud has canceled, timed out or deleted the job."""


class JobReports:
    """``core_version``: this core's, which every report names."""

    def __init__(self, cloud: JobsCloud, artifacts: Artifacts, core_version: str) -> None:
        self._cloud, self._artifacts, self._core_version = cloud, artifacts, core_version

    async def not_run(self, one: Pending, status: str, reason: str) -> None:
        """A job of the queue that ends without being taken."""
        try:
            await self._cloud.update(one.job_id, status, None, {"reason": reason})
        except JobsRejected as rejected:
            log.info("job %s: the cloud knows better: %s", one.job_id, rejected)

    async def progress(self, record: JobRecord, step: str) -> None:
        """Raises `TakenBackError` where the job is not this device's any more."""
        fetched = str(self._artifacts.fetched_bytes)
        details = {**self._about(record), "step": step, "fetched": fetched}
        try:
            record.version = await self._cloud.update(
                record.job_id, "IN_PROGRESS", record.version, details
            )
        except JobsRejected as rejected:
            _accept_version(record, rejected)
            record.version = await self._cloud.update(
                record.job_id, "IN_PROGRESS", record.version, details
            )

    async def ended(self, record: JobRecord) -> None:
        """Until the cloud has it, or has another opinion for good."""
        details = {**self._about(record), "step": record.step, "reason": record.reason or "healthy"}
        version: int | None = record.version
        while True:
            try:
                await self._cloud.update(record.job_id, record.status, version, details)
            except JobsRejected as rejected:
                status = rejected.state.get("status")
                if rejected.code == "VersionMismatch" and status in OURS:
                    version = None
                    continue
                if status != record.status:
                    log.warning("job %s ended here as %s, in the cloud as %s",
                        record.job_id, record.status, status or rejected.code)  # fmt: skip
            return

    def _about(self, record: JobRecord) -> dict[str, str]:
        return {"deployment": record.deployment_id, "core": self._core_version}


def _accept_version(record: JobRecord, rejected: JobsRejected) -> None:
    """The cloud's version counts where the job is still ours; else it is taken back."""
    status = str(rejected.state.get("status") or "")
    if rejected.code == "VersionMismatch" and status in OURS:
        record.version = int(rejected.state.get("versionNumber") or record.version)
        return
    raise TakenBackError(f"the cloud says {status or rejected.code}: canceled, timed out "
        "or deleted")  # fmt: skip
