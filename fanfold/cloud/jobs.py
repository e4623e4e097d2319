"""Target iot read back: a site's jobs as deployments, its devices one by one, and going back."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from fanfold.cloud.access import Access, explained
from fanfold.common import output
from fanfold.common.errors import FAILED, UserError
from infra.deployer.verdict import BAD, OPEN, PENDING, failed, group_of, members, pages, selection

Document = dict[str, Any]
LOOKED_AT = 30
POLL_S = 1.0
DELETION_S = 60.0
DELETED = "DELETION_IN_PROGRESS"


@dataclass(frozen=True)
class Device:
    """What one device says of a job. `status` is AWS's; `step` and `reason` are the core's."""

    thing: str
    status: str
    step: str
    reason: str


@dataclass(frozen=True)
class SiteJob:
    """One deployment: its document (docs/spec/jobs.md), and how far its devices are."""

    id: str
    status: str
    document: Document
    devices: tuple[Device, ...]
    group: str | None = None
    abort: Mapping[str, Any] | None = None

    @property
    def settled(self) -> bool:
        """No device is waited for; a job for a group itself goes on for things that join."""
        if self.group is None:
            return self.status not in OPEN
        return self.status not in OPEN or not any(d.status in PENDING for d in self.devices)

    @property
    def version(self) -> str:
        """Of what it deploys: the same for a roll-back to it."""
        parts = [self.document["group"], *self.document["code"], self.document.get("model") or {}]
        parts += [self.document["core"]] if self.document.get("core") else []
        told = json.dumps([part.get("sha256") for part in parts])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def core_version(self) -> str | None:
        """Of the core that it brings; None: devices keep theirs."""
        return (self.document.get("core") or {}).get("version")

    @property
    def created_at(self) -> str:
        moment = datetime.fromtimestamp(self.document["issued_at"], timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def outcome(self) -> str:
        """In the words that deployments of either target have."""
        if failed(self.status, {d.thing: d.status for d in self.devices}, self.abort):
            return "Failure"
        if not self.settled or (self.status in OPEN and not self.devices):
            return "InProgress"
        done = any(device.status == "SUCCEEDED" for device in self.devices)
        return "Success" if done else "Failure"

    @property
    def error(self) -> str:
        return complaints(self.devices, self.outcome, "cancelled")


def complaints(devices: Iterable[Device], outcome: str, status: str) -> str:
    """What those say that have failed, three of them at most; ``status`` where none has begun."""
    bad = [device for device in devices if device.status in BAD]
    if not bad and outcome == "Failure":
        return f"{status} before any device had begun it"
    return "; ".join(f"{d.thing} {d.status}: {d.reason or 'no reason given'}" for d in bad[:3])


def read_jobs(access: Access, prefix: str) -> list[SiteJob]:
    """A site's jobs, newest first. `prefix`: of their ids (`IotNames.job_prefix`)."""
    iot = access.client("iot")
    with explained(access, f"jobs {prefix}*"):
        found = [read_job(access, name) for name in _names(iot, prefix)[:LOOKED_AT]]
    return sorted(found, key=lambda job: (job.document["issued_at"], job.id), reverse=True)


def _names(iot: Any, prefix: str) -> list[str]:
    """Ids of a site's jobs, without those that AWS is deleting."""
    found = pages(iot.list_jobs, "jobs")
    names = [job["jobId"] for job in found if job["status"] != DELETED]
    return [name for name in names if name.startswith(prefix)]


def forget_jobs(access: Access, prefix: str) -> None:
    """Delete a site's jobs: nothing of them may come to a device, or be shown, any more."""
    iot, deadline = access.client("iot"), time.monotonic() + DELETION_S
    with explained(access, f"jobs {prefix}*"):
        for name in _names(iot, prefix):
            while not _deleted(iot, name):
                if time.monotonic() > deadline:
                    output.warn(f"job {name} is left: AWS deletes ten at a time; destroy again")
                    return
                time.sleep(POLL_S)


def _deleted(iot: Any, name: str) -> bool:
    """False: AWS has ten jobs to delete already."""
    try:
        iot.delete_job(jobId=name, force=True)
    except iot.exceptions.LimitExceededException:
        return False
    return True


def read_job(access: Access, job_id: str) -> SiteJob:
    iot = access.client("iot")
    described = iot.describe_job(jobId=job_id)["job"]
    document = json.loads(iot.get_job_document(jobId=job_id)["document"])
    devices = {device.thing: device for device in _devices(iot, job_id)}
    group = group_of(described["targets"][0])
    if group is not None and described["status"] in OPEN:
        for thing in _members(iot, group):  # the rollout rate has not come to it yet
            devices.setdefault(thing, Device(thing, "QUEUED", "", ""))
    ordered = tuple(devices[thing] for thing in sorted(devices))
    return SiteJob(
        job_id, described["status"], document, ordered, group, described.get("abortConfig")
    )


def _members(iot: Any, group: str) -> list[str]:
    try:
        return members(iot, group)
    except iot.exceptions.ResourceNotFoundException:
        return []  # the stack is gone, the job's history is not


def _devices(iot: Any, job_id: str) -> Iterator[Device]:
    for each in pages(iot.list_job_executions_for_job, "executionSummaries", jobId=job_id):
        thing = each["thingArn"].rpartition("/")[2]
        answer = iot.describe_job_execution(jobId=job_id, thingName=thing)["execution"]
        details = answer.get("statusDetails", {}).get("detailsMap", {})
        yield Device(thing, answer["status"], details.get("step", ""), details.get("reason", ""))


def group_document(access: Access, job: SiteJob) -> Document:
    """The group that a job brings, with its code's hash as the planner's document has it."""
    bucket, _, key = job.document["group"]["uri"].removeprefix("s3://").partition("/")
    with explained(access, f"group document of job {job.id}"):
        body = access.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    document: Document = json.loads(body)
    for code in job.document["code"]:
        digest = base64.b64encode(bytes.fromhex(code["sha256"])).decode()
        for arn in code.get("arns", [code.get("arn")]):
            document["Lambdas"][arn]["CodeSha256"] = digest
    return document


def repeat(
    access: Access, job: SiteJob, target: str, settings: Mapping[str, Any], wait_s: float
) -> str:
    """The same deployment once more, as a new job that is newer than all; how it ended.

    `settings`: the job's rollout, abort rule, time-out and retries of today's site file.
    """
    iot, issued_at = access.client("iot"), int(time.time())
    document = {**job.document, "issued_at": issued_at}
    job_id = f"{job.id.rpartition('_')[0]}_{issued_at}-{job.version[:8]}"
    with explained(access, f"job {job_id}"):
        _cancel_waiting(iot, f"{job.id.rpartition('_')[0]}_")
        iot.create_job(
            jobId=job_id, targets=[target], targetSelection=selection(target),
            document=json.dumps(document, separators=(",", ":")),
            description=f"Fanfold deployment, as in job {job.id}", **settings,
        )  # fmt: skip
    return follow(access, job_id, wait_s)


def _cancel_waiting(iot: Any, prefix: str) -> None:
    for job in pages(iot.list_jobs, "jobs", status="IN_PROGRESS"):
        if job["jobId"].startswith(prefix):
            iot.cancel_job(jobId=job["jobId"], reasonCode="SUPERSEDED", force=False)


def follow(access: Access, job_id: str, wait_s: float) -> str:
    """Wait for its devices and say each one's word. Raises UserError where one failed."""
    deadline = time.monotonic() + wait_s
    with output.err.status("waiting for the devices"), explained(access, f"job {job_id}"):
        while True:
            job = read_job(access, job_id)
            if job.settled or time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
    show_devices(job.devices)
    if job.outcome == "Failure":
        raise UserError(f"job {job_id} failed: {job.error}", FAILED)
    return job.outcome


def show_devices(devices: Iterable[Device]) -> None:
    """One line for each device."""
    for device in devices:
        said = " ".join(filter(None, (device.step, device.reason)))
        output.out.print(f"  {device.thing:<24} {device.status:<12} {said}".rstrip(), markup=False)
