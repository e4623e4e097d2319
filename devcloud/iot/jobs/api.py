"""The operator's side of jobs: CreateJob and its relatives, in place of moto's.

moto gives a group one execution, never moves a job on, and keeps rollout, abort, time-out and
retry without acting on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from devcloud.iot.jobs.model import (
    CANCELED,
    FAILED,
    IN_PROGRESS,
    LONGEST_DOCUMENT,
    QUEUED,
    REJECTED,
    REMOVED,
    SUCCEEDED,
    TIMED_OUT,
    Execution,
    Job,
    JobsRefused,
    check_id,
)

if TYPE_CHECKING:
    from devcloud.iot.cloud import IotCloud, Region

_COUNTED = {
    CANCELED: "numberOfCanceledThings", SUCCEEDED: "numberOfSucceededThings",
    FAILED: "numberOfFailedThings", REJECTED: "numberOfRejectedThings",
    QUEUED: "numberOfQueuedThings", IN_PROGRESS: "numberOfInProgressThings",
    REMOVED: "numberOfRemovedThings", TIMED_OUT: "numberOfTimedOutThings",
}  # fmt: skip
_EXCEPTIONS = {
    "ResourceNotFound": "ResourceNotFoundException",
    "ResourceAlreadyExists": "ResourceAlreadyExistsException",
    "InvalidStateTransition": "InvalidStateTransitionException",
    "VersionMismatch": "VersionConflictException",
}


def make(region: Region, wanted: dict[str, Any]) -> Job:
    """A job from CreateJob's members. Raises JobsRefused."""
    check_id(wanted["jobId"])
    document = wanted.get("document")
    source = wanted.get("documentSource")
    if document is None and source:
        document = _from_s3(region, source)
    if not document or len(document) > LONGEST_DOCUMENT:
        size = len(document or "")
        raise JobsRefused(
            "InvalidRequest", f"document: 1 to {LONGEST_DOCUMENT} characters, not {size}"
        )
    targets = list(wanted.get("targets") or [])
    for arn in targets:
        if ":thinggroup/" not in arn and region.registry.thing(arn.rpartition("/")[2]) is None:
            raise JobsRefused("ResourceNotFound", f"target {arn} does not exist")
        if ":thinggroup/" in arn and arn not in region.registry.backend.thing_groups:
            raise JobsRefused("ResourceNotFound", f"target {arn} does not exist")
    now = time.time()
    job = Job(
        id=wanted["jobId"],
        arn=region.registry.arn(f"job/{wanted['jobId']}"),
        targets=targets,
        document=document,
        created_at=now,
        continuous=wanted.get("targetSelection") == "CONTINUOUS",
        description=wanted.get("description") or "",
        document_source=source,
        rollout=wanted.get("jobExecutionsRolloutConfig") or {},
        abort=wanted.get("abortConfig") or {},
        timeout=wanted.get("timeoutConfig") or {},
        retry=wanted.get("jobExecutionsRetryConfig") or {},
        presign=wanted.get("presignedUrlConfig") or {},
    )
    with region.lock:
        region.engine.add(job, now)
    region.notify_devices()
    return job


def _from_s3(region: Region, source: str) -> str:
    from moto.s3.models import s3_backends

    from devcloud.iot.presign import place_of

    bucket, key = place_of(source)
    found = s3_backends[region.registry.account]["aws"].get_object(bucket, key)
    if found is None:
        raise JobsRefused("InvalidRequest", f"documentSource {source} cannot be read")
    return str(found.value.decode())


def described(job: Job) -> dict[str, Any]:
    counts = {name: job.count(status) for status, name in _COUNTED.items()}
    counts["numberOfQueuedThings"] += len(job.waiting)
    found = {
        "jobArn": job.arn, "jobId": job.id, "targets": job.targets, "status": job.status,
        "targetSelection": "CONTINUOUS" if job.continuous else "SNAPSHOT",
        "forceCanceled": job.forced, "description": job.description, "comment": job.comment,
        "reasonCode": job.reason_code, "createdAt": _time(job.created_at),
        "lastUpdatedAt": _time(job.updated_at), "completedAt": _time(job.completed_at),
        "presignedUrlConfig": job.presign or None,
        "jobExecutionsRolloutConfig": job.rollout or None, "abortConfig": job.abort or None,
        "timeoutConfig": job.timeout or None, "jobExecutionsRetryConfig": job.retry or None,
        "jobProcessDetails": counts,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def execution_described(region: Region, execution: Execution) -> dict[str, Any]:
    found = {
        "jobId": execution.job_id, "status": execution.status, "forceCanceled": execution.forced,
        "statusDetails": {"detailsMap": dict(execution.details)},
        "thingArn": region.registry.arn(f"thing/{execution.thing}"),
        "queuedAt": _time(execution.queued_at), "startedAt": _time(execution.started_at),
        "lastUpdatedAt": _time(execution.updated_at), "executionNumber": execution.number,
        "versionNumber": execution.version,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def summary(execution: Execution) -> dict[str, Any]:
    found = {
        "status": execution.status, "queuedAt": _time(execution.queued_at),
        "startedAt": _time(execution.started_at), "lastUpdatedAt": _time(execution.updated_at),
        "executionNumber": execution.number,
        "retryAttempt": execution.number - 1 if execution.number > 1 else None,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def install(cloud: IotCloud) -> None:
    """Put these in the place of moto's responses."""
    from moto.core.responses import ActionResult, EmptyResult
    from moto.iot.responses import IoTResponse

    def api(method: Callable[[Any, Region], dict[str, Any] | None]) -> Callable[[Any], Any]:
        def respond(self: Any) -> Any:
            region = cloud.region(self.region)
            try:
                with region.lock:
                    answer = method(self, region)
            except JobsRefused as error:
                raise _exception(error) from error
            region.notify_devices()
            return EmptyResult() if answer is None else ActionResult(answer)

        return respond

    for name, method in _METHODS.items():
        setattr(IoTResponse, name, api(method))


def _exception(error: JobsRefused) -> Exception:
    from moto.iot.exceptions import IoTClientError

    name = _EXCEPTIONS.get(error.code, "InvalidRequestException")
    found: Exception = IoTClientError(name, str(error))
    return found


def _create(self: Any, region: Region) -> dict[str, Any]:
    names = ("jobId", "targets", "document", "documentSource", "description", "targetSelection",
             "jobExecutionsRolloutConfig", "abortConfig", "timeoutConfig",
             "jobExecutionsRetryConfig", "presignedUrlConfig")  # fmt: skip
    job = make(region, {name: self._get_param(name) for name in names})
    return {"jobArn": job.arn, "jobId": job.id, "description": job.description}


def _describe(self: Any, region: Region) -> dict[str, Any]:
    job = region.engine.find(self._get_param("jobId"))
    return {"documentSource": job.document_source, "job": described(job)}


def _document(self: Any, region: Region) -> dict[str, Any]:
    return {"document": region.engine.find(self._get_param("jobId")).document}


def _list(self: Any, region: Region) -> dict[str, Any]:
    status = self._get_param("status")
    jobs = [j for j in region.engine.jobs.values() if status in (None, j.status)]
    names = ("jobArn", "jobId", "targetSelection", "status", "createdAt", "lastUpdatedAt",
             "completedAt")  # fmt: skip
    newest_first = sorted(jobs, key=lambda each: -each.created_at)
    return {"jobs": [{n: d[n] for n in names if n in d} for d in map(described, newest_first)]}


def _cancel(self: Any, region: Region) -> dict[str, Any]:
    job = region.engine.find(self._get_param("jobId"))
    job.comment = self._get_param("comment")
    reason = self._get_param("reasonCode")
    force = bool(self._get_bool_param("force"))
    region.engine.cancel(job, time.time(), force=force, reason=reason)
    return {"jobArn": job.arn, "jobId": job.id, "description": job.description}


def _delete(self: Any, region: Region) -> None:
    region.engine.remove(self._get_param("jobId"), force=bool(self._get_bool_param("force")))


def _execution_of(self: Any, region: Region) -> Execution:
    number = self._get_int_param("executionNumber")
    return region.engine.execution(self._get_param("thingName"), self._get_param("jobId"), number)


def _describe_execution(self: Any, region: Region) -> dict[str, Any]:
    return {"execution": execution_described(region, _execution_of(self, region))}


def _cancel_execution(self: Any, region: Region) -> None:
    force = bool(self._get_bool_param("force"))
    region.engine.cancel_execution(_execution_of(self, region), time.time(), force=force)


def _list_for_job(self: Any, region: Region) -> dict[str, Any]:
    job, status = region.engine.find(self._get_param("jobId")), self._get_param("status")
    found = [each for each in job.latest() if status in (None, each.status)]
    return {
        "executionSummaries": [
            {
                "thingArn": region.registry.arn(f"thing/{each.thing}"),
                "jobExecutionSummary": summary(each),
            }
            for each in found
        ]
    }


def _list_for_thing(self: Any, region: Region) -> dict[str, Any]:
    thing, status = self._get_param("thingName"), self._get_param("status")
    attempts = [job.attempts.get(thing, []) for job in region.engine.jobs.values()]
    found = [each for one in attempts for each in one if status in (None, each.status)]
    return {
        "executionSummaries": [
            {"jobId": each.job_id, "jobExecutionSummary": summary(each)} for each in found
        ]
    }


_METHODS: dict[str, Callable[[Any, Any], dict[str, Any] | None]] = {
    "create_job": _create, "describe_job": _describe, "get_job_document": _document,
    "list_jobs": _list, "cancel_job": _cancel, "delete_job": _delete,
    "describe_job_execution": _describe_execution, "cancel_job_execution": _cancel_execution,
    "list_job_executions_for_job": _list_for_job,
    "list_job_executions_for_thing": _list_for_thing,
}  # fmt: skip
