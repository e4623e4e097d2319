"""Jobs and their executions; plain records, times in epoch seconds.

Source: docs.aws.amazon.com, IoT developer guide, "AWS IoT Jobs", and botocore's `iot` model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

QUEUED, IN_PROGRESS = "QUEUED", "IN_PROGRESS"
SUCCEEDED, FAILED, REJECTED = "SUCCEEDED", "FAILED", "REJECTED"
TIMED_OUT, REMOVED, CANCELED = "TIMED_OUT", "REMOVED", "CANCELED"
COMPLETED, DELETION_IN_PROGRESS = "COMPLETED", "DELETION_IN_PROGRESS"
PENDING = (QUEUED, IN_PROGRESS)
BY_DEVICE = (IN_PROGRESS, SUCCEEDED, FAILED, REJECTED)
MOST_DETAILS, LONGEST_KEY, LONGEST_VALUE = 10, 128, 1024
LONGEST_DOCUMENT = 32_768
_JOB_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_DETAIL_KEY = re.compile(rf"[a-zA-Z0-9:_-]{{1,{LONGEST_KEY}}}\Z")
_DETAIL_VALUE = re.compile(rf"[^\x00-\x1f\x7f]{{1,{LONGEST_VALUE}}}\Z")


class JobsRefused(Exception):  # noqa: N818 (as AWS says it)
    """`code` as the device data plane says it; `execution` where its state explains why."""

    def __init__(self, code: str, message: str, execution: Execution | None = None) -> None:
        super().__init__(message)
        self.code, self.execution = code, execution


@dataclass
class Execution:
    """One attempt of one job on one thing."""

    job_id: str
    thing: str
    number: int
    queued_at: float
    status: str = QUEUED
    details: dict[str, str] = field(default_factory=dict)
    started_at: float | None = None
    updated_at: float = 0.0
    version: int = 1
    step_deadline: float | None = None
    deadline: float | None = None
    forced: bool = False

    def summary(self) -> dict[str, Any]:
        """As the device data plane lists it."""
        found: dict[str, Any] = {
            "jobId": self.job_id,
            "queuedAt": int(self.queued_at),
            "lastUpdatedAt": int(self.updated_at),
            "executionNumber": self.number,
            "versionNumber": self.version,
        }
        if self.started_at is not None:
            found["startedAt"] = int(self.started_at)
        return found

    def state(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "statusDetails": dict(self.details),
            "versionNumber": self.version,
        }

    def move(self, status: str, now: float) -> None:
        self.status, self.updated_at, self.version = status, now, self.version + 1
        if status != IN_PROGRESS:
            self.step_deadline = self.deadline = None


@dataclass
class Job:
    """What CreateJob said, and how far it is."""

    id: str
    arn: str
    targets: list[str]
    document: str
    created_at: float
    continuous: bool = False
    description: str = ""
    document_source: str | None = None
    rollout: Mapping[str, Any] = field(default_factory=dict)
    abort: Mapping[str, Any] = field(default_factory=dict)
    timeout: Mapping[str, Any] = field(default_factory=dict)
    retry: Mapping[str, Any] = field(default_factory=dict)
    presign: Mapping[str, Any] = field(default_factory=dict)
    status: str = IN_PROGRESS
    updated_at: float = 0.0
    completed_at: float | None = None
    comment: str | None = None
    reason_code: str | None = None
    forced: bool = False
    known: set[str] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)
    notified: list[float] = field(default_factory=list)
    attempts: dict[str, list[Execution]] = field(default_factory=dict)

    def latest(self) -> list[Execution]:
        """The newest attempt on each thing."""
        return [attempts[-1] for attempts in self.attempts.values()]

    def count(self, status: str) -> int:
        return sum(each.status == status for each in self.latest())

    def retries_left(self, execution: Execution) -> bool:
        """A failure type's own number of retries; REJECTED is never retried."""
        for rule in self.retry.get("criteriaList", []):
            if rule["failureType"] in (execution.status, "ALL") and execution.status in (
                FAILED,
                TIMED_OUT,
            ):
                return execution.number <= int(rule["numberOfRetries"])
        return False

    def must_abort(self) -> bool:
        """Whether one of the abort criteria holds."""
        ended = [each for each in self.latest() if each.status not in PENDING]
        for rule in self.abort.get("criteriaList", []):
            kinds = (
                (FAILED, REJECTED, TIMED_OUT)
                if rule["failureType"] == "ALL"
                else (rule["failureType"],)
            )
            wrong = sum(each.status in kinds for each in ended)
            enough = len(ended) >= int(rule["minNumberOfExecutedThings"])
            if enough and wrong * 100 >= float(rule["thresholdPercentage"]) * len(ended):
                return True
        return False


def check_id(job_id: str) -> None:
    if not _JOB_ID.match(job_id):
        raise JobsRefused("InvalidRequest", f"job id {job_id!r}: 1 to 64 of a-z A-Z 0-9 _ -")


def check_details(details: Any) -> dict[str, str]:
    """Raises JobsRefused for what AWS would not take as statusDetails."""
    if not isinstance(details, Mapping) or len(details) > MOST_DETAILS:
        raise JobsRefused("InvalidRequest", f"statusDetails: at most {MOST_DETAILS} pairs")
    for key, value in details.items():
        if not (_DETAIL_KEY.match(str(key)) and isinstance(value, str)):
            raise JobsRefused("InvalidRequest", f"statusDetails: key {key!r} or its value")
        if not _DETAIL_VALUE.match(value):
            raise JobsRefused(
                "InvalidRequest",
                f"statusDetails: value of {key!r}: 1 to {LONGEST_VALUE} characters, none of them "
                "a control character",
            )
    return dict(details)
