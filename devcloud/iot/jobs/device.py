"""Jobs as a device speaks of them over MQTT: requests, answers, notifications.

Source: docs.aws.amazon.com, IoT developer guide, "Jobs device MQTT API operations"; times are
epoch seconds, as AWS's own SDKs read them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from devcloud.iot.jobs.engine import Engine
from devcloud.iot.jobs.model import IN_PROGRESS, QUEUED, Execution, JobsRefused

MOST_LISTED = 10
Document = Callable[[Execution], str]
"""The job document as this execution gets it, with its placeholders filled in."""
Answer = tuple[str, dict[str, Any]]
Body = dict[str, Any]
_WITH_STATE = ("InvalidStateTransition", "VersionMismatch", "TerminalStateReached")


def prefix(thing: str) -> str:
    return f"$aws/things/{thing}/jobs/"


class DeviceSide:
    """Turns the engine's changes into messages and the devices' messages into calls."""

    def __init__(self, engine: Engine, document: Document) -> None:
        self._engine = engine
        self._document = document
        self._told: dict[str, tuple[list[tuple[str, int, str]], tuple[str, int] | None]] = {}

    def handle(self, thing: str, rest: str, payload: bytes, now: float) -> Answer:
        """(topic below the thing's jobs prefix, answer) of one request.

        `rest` is the topic behind the prefix: `get`, `start-next`, `JOB/get`, `JOB/update`.
        """
        token: Any = None
        try:
            body = _body(payload)
            token = body.get("clientToken")
            found = self._accept(thing, rest, body, now)
        except JobsRefused as error:
            refused: Body = {"code": error.code, "message": str(error)}
            if error.execution is not None and error.code in _WITH_STATE:
                refused["executionState"] = error.execution.state()
            return f"{rest}/rejected", _signed(refused, token, now)
        return f"{rest}/accepted", _signed(found, token, now)

    def _accept(self, thing: str, rest: str, body: Body, now: float) -> Body:
        engine = self._engine
        if rest == "get":
            pending = engine.pending(thing)
            return {
                "inProgressJobs": [e.summary() for e in pending if e.status == IN_PROGRESS],
                "queuedJobs": [e.summary() for e in pending if e.status == QUEUED],
            }
        if rest == "start-next":
            details, step = body.get("statusDetails"), body.get("stepTimeoutInMinutes")
            started = engine.start_next(thing, now, details, step)
            return {} if started is None else {"execution": self._full(started)}
        job_id, _, verb = rest.partition("/")
        if verb == "get":
            return self._describe(thing, job_id, body)
        if verb == "update":
            return self._update(thing, job_id, body, now)
        raise JobsRefused("InvalidTopic", f"{prefix(thing)}{rest} is no topic of this service")

    def _describe(self, thing: str, job_id: str, body: Body) -> Body:
        if job_id == "$next":
            found = next(iter(self._engine.pending(thing)), None)
            if found is None:
                return {}
        else:
            found = self._engine.execution(thing, job_id, body.get("executionNumber"))
        return {"execution": self._full(found, document=body.get("includeJobDocument", True))}

    def _update(self, thing: str, job_id: str, body: Body, now: float) -> Body:
        execution = self._engine.execution(thing, job_id, body.get("executionNumber"))
        self._engine.update(
            execution,
            body.get("status"),
            now,
            details=body.get("statusDetails"),
            expected=body.get("expectedVersion"),
            step_min=body.get("stepTimeoutInMinutes"),
        )
        answer: Body = {}
        if body.get("includeJobExecutionState"):
            answer["executionState"] = execution.state()
        if body.get("includeJobDocument"):
            answer["jobDocument"] = json.loads(self._document(execution))
        return answer

    def _full(self, execution: Execution, *, document: bool = True) -> Body:
        found = {**execution.summary(), "thingName": execution.thing, "status": execution.status}
        if execution.details:
            found["statusDetails"] = dict(execution.details)
        if document:
            found["jobDocument"] = json.loads(self._document(execution))
        return found

    def notices(self, now: float) -> list[Answer]:
        """(full topic, message) for every thing whose pending executions have changed."""
        things = dict.fromkeys(self._engine.changed)
        self._engine.changed.clear()
        return [notice for thing in things for notice in self._notices_of(thing, now)]

    def _notices_of(self, thing: str, now: float) -> list[Answer]:
        pending = self._engine.pending(thing)
        listed = [(each.job_id, each.number, each.status) for each in pending]
        following = (pending[0].job_id, pending[0].number) if pending else None
        before, told = self._told.get(thing, ([], None))
        self._told[thing] = (listed, following)
        found: list[Answer] = []
        if listed != before:
            groups: dict[str, list[Body]] = {}
            for each in pending[:MOST_LISTED]:
                groups.setdefault(each.status, []).append(each.summary())
            message = {"timestamp": int(now), "jobs": groups}
            found.append((f"{prefix(thing)}notify", message))
        if following != told:
            execution = self._full(pending[0]) if pending else {}
            message = {"timestamp": int(now), "execution": execution}
            found.append((f"{prefix(thing)}notify-next", message))
        return found


def _body(payload: bytes) -> Body:
    try:
        body = json.loads(payload or b"{}")
    except ValueError as error:
        raise JobsRefused("InvalidJson", str(error)) from error
    if not isinstance(body, dict):
        raise JobsRefused("InvalidRequest", "the message is no JSON object")
    return body


def _signed(body: Body, token: Any, now: float) -> Body:
    return {**body, "timestamp": int(now), **({} if token is None else {"clientToken": token})}
