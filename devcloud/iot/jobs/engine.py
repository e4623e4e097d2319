"""What happens to jobs: an engine without a clock, threads or network of its own.

`now` is given with every call. What must be said to devices is left in `changed`: names of
things whose list of pending executions is another one than before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from devcloud.iot.jobs.model import (
    BY_DEVICE,
    CANCELED,
    COMPLETED,
    IN_PROGRESS,
    PENDING,
    QUEUED,
    TIMED_OUT,
    Execution,
    Job,
    JobsRefused,
    check_details,
)
from devcloud.iot.jobs.rollout import allowed_now

Members = Callable[[str], list[str]]
"""Names of the things behind a target's ARN."""


class Engine:
    """All jobs of one region. `minute_s`: how long a minute of a rollout or time-out is."""

    def __init__(self, members: Members, minute_s: float = 60.0) -> None:
        self.jobs: dict[str, Job] = {}
        self.changed: list[str] = []
        self.minute_s = minute_s
        self._members = members

    def add(self, job: Job, now: float) -> Job:
        """Start a job. Raises JobsRefused where its id is taken."""
        if job.id in self.jobs:
            raise JobsRefused("ResourceAlreadyExists", f"job {job.id} already exists")
        self.jobs[job.id] = job
        job.updated_at = now
        self._roll_out(job, now)
        return job

    def find(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise JobsRefused("ResourceNotFound", f"job {job_id} does not exist")
        return self.jobs[job_id]

    def cancel(self, job: Job, now: float, *, force: bool, reason: str | None) -> None:
        """QUEUED executions end; with `force` also those in progress."""
        if job.status != IN_PROGRESS:
            raise JobsRefused("InvalidRequest", f"job {job.id} is {job.status}")
        self._end(job, CANCELED, now)
        job.forced, job.reason_code = force, reason
        for each in job.latest():
            if each.status == QUEUED or (force and each.status == IN_PROGRESS):
                each.forced = force
                self._move(each, CANCELED, now)

    def cancel_execution(self, execution: Execution, now: float, *, force: bool) -> None:
        if execution.status not in PENDING or (execution.status == IN_PROGRESS and not force):
            raise JobsRefused(
                "InvalidStateTransition", f"the execution is {execution.status}", execution
            )
        self._move(execution, CANCELED, now)
        self._settle(self.find(execution.job_id), now)

    def remove(self, job_id: str, *, force: bool) -> None:
        job = self.find(job_id)
        if job.status == IN_PROGRESS and not force:
            raise JobsRefused("InvalidStateTransition", f"job {job_id} is in progress")
        del self.jobs[job_id]
        self.changed += [each.thing for each in job.latest() if each.status in PENDING]

    def tick(self, now: float) -> None:
        """Rollouts that go on, groups that have grown, time that has run out."""
        for job in list(self.jobs.values()):
            for each in job.latest():
                late = [t for t in (each.step_deadline, each.deadline) if t is not None]
                if each.status == IN_PROGRESS and late and min(late) <= now:
                    self._move(each, TIMED_OUT, now)
                    self._after_end(job, each, now)
            self._roll_out(job, now)

    # The device's side.

    def pending(self, thing: str) -> list[Execution]:
        """IN_PROGRESS ones first, then as they were queued."""
        found = [
            attempts[-1]
            for job in self.jobs.values()
            if (attempts := job.attempts.get(thing)) and attempts[-1].status in PENDING
        ]
        return sorted(found, key=lambda each: (each.status != IN_PROGRESS, each.queued_at))

    def execution(self, thing: str, job_id: str, number: int | None = None) -> Execution:
        """The newest attempt, or that number. Raises JobsRefused."""
        for each in reversed(self.find(job_id).attempts.get(thing, [])):
            if number in (None, each.number):
                return each
        raise JobsRefused("ResourceNotFound", f"job {job_id} has no such execution on {thing}")

    def start_next(
        self, thing: str, now: float, details: Any = None, step_min: Any = None
    ) -> Execution | None:
        """The next one, in progress from now on; one that is in progress is returned as it is."""
        found = next(iter(self.pending(thing)), None)
        if found is not None and found.status == QUEUED:
            if details is not None:
                found.details = check_details(details)
            self._begin(found, now)
            self._step(found, step_min, now)
        return found

    def update(  # noqa: PLR0913 (the fields of the request)
        self,
        execution: Execution,
        status: Any,
        now: float,
        *,
        details: Any = None,
        expected: int | None = None,
        step_min: Any = None,
    ) -> None:
        """Raises JobsRefused as the service does."""
        if execution.status not in PENDING:
            raise JobsRefused("TerminalStateReached", f"it is {execution.status}", execution)
        if expected is not None and int(expected) != execution.version:
            raise JobsRefused(
                "VersionMismatch",
                f"expected version {expected}, it is {execution.version}",
                execution,
            )
        if status not in BY_DEVICE:
            raise JobsRefused("InvalidRequest", f"status {status!r} is none of {BY_DEVICE}")
        if details is not None:
            execution.details = check_details(details)
        if status == IN_PROGRESS:
            self._begin(execution, now)
            self._step(execution, step_min, now)
            return
        self._move(execution, status, now)
        self._after_end(self.find(execution.job_id), execution, now)

    def _begin(self, execution: Execution, now: float) -> None:
        if execution.started_at is None:
            execution.started_at = now
            minutes = self.find(execution.job_id).timeout.get("inProgressTimeoutInMinutes")
            self._move(execution, IN_PROGRESS, now)
            execution.deadline = now + float(minutes) * self.minute_s if minutes else None
        else:
            execution.move(IN_PROGRESS, now)

    def _step(self, execution: Execution, minutes: Any, now: float) -> None:
        """The step's own timer, which cannot outlive the job's; -1 stops it."""
        if minutes is not None:
            wanted = None if int(minutes) == -1 else now + int(minutes) * self.minute_s
            execution.step_deadline = wanted

    def _move(self, execution: Execution, status: str, now: float) -> None:
        execution.move(status, now)
        self.changed.append(execution.thing)

    def _after_end(self, job: Job, execution: Execution, now: float) -> None:
        if job.status == IN_PROGRESS and job.retries_left(execution):
            attempts = job.attempts[execution.thing]
            attempts.append(Execution(job.id, execution.thing, execution.number + 1, now))
            self.changed.append(execution.thing)
            return
        if job.status == IN_PROGRESS and job.must_abort():
            self.cancel(job, now, force=False, reason="ABORT_CRITERIA_MET")
        self._settle(job, now)

    def _roll_out(self, job: Job, now: float) -> None:
        if job.status != IN_PROGRESS:
            return
        job.waiting += self._new_things(job)
        for _ in range(min(len(job.waiting), allowed_now(job, now, self.minute_s))):
            thing = job.waiting.pop(0)
            job.notified.append(now)
            job.attempts[thing] = [Execution(job.id, thing, 1, now, updated_at=now)]
            self.changed.append(thing)
        self._settle(job, now)

    def _new_things(self, job: Job) -> Iterator[str]:
        """Things of the targets that were not there; of a snapshot only at its beginning."""
        if job.known and not job.continuous:
            return
        for target in job.targets:
            for name in self._members(target):
                if name not in job.known:
                    job.known.add(name)
                    yield name

    def _settle(self, job: Job, now: float) -> None:
        done = not job.waiting and all(each.status not in PENDING for each in job.latest())
        if job.status == IN_PROGRESS and not job.continuous and done:
            self._end(job, COMPLETED, now)

    def _end(self, job: Job, status: str, now: float) -> None:
        job.status, job.updated_at, job.completed_at = status, now, now
        job.waiting.clear()
