"""AWS IoT Jobs over MQTT: ask, and wait for the answer that carries the same token."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from edgecore.uplink.iot.link import Link

log = logging.getLogger(__name__)

ANSWER_S = 20.0
MAX_DETAIL = 1024
"""Characters of a value in ``statusDetails`` (AWS General Reference, IoT Jobs)."""
Json = dict[str, Any]


class JobsAway(Exception):  # noqa: N818 - a state of the world, asked again
    """No connection, or no answer in time."""


class JobsRejected(Exception):  # noqa: N818
    """``code`` as in the developer guide's error table; ``state``: the execution's, or empty."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.code = str(answer.get("code") or "InternalError")
        self.state: Mapping[str, Any] = answer.get("executionState") or {}
        super().__init__(f"{self.code}: {answer.get('message', '')}")


class JobsCloud:
    """``start`` once; ``notified`` is called when another job is the next one."""

    def __init__(self, link: Link, notified: Callable[[], None]) -> None:
        self._link, self._notified = link, notified
        self._prefix = ""
        self._answers: dict[str, asyncio.Future[tuple[bool, Json]]] = {}

    async def start(self, thing: str) -> None:
        self._prefix = f"$aws/things/{thing}/jobs"
        filters = [f"{self._prefix}/notify-next"]
        for operation in ("get", "+/get", "+/update"):
            filters += [f"{self._prefix}/{operation}/{end}" for end in ("accepted", "rejected")]
        await self._link.listen(filters, self._arrived)

    async def pending(self) -> list[Json]:
        """In progress and queued, oldest first."""
        answer = await self._ask("get", {})
        return [*answer.get("inProgressJobs", []), *answer.get("queuedJobs", [])]

    async def describe(self, job_id: str) -> Json:
        """The execution with its document; placeholders in it are replaced anew each time."""
        answer = await self._ask(f"{job_id}/get", {"includeJobDocument": True})
        return dict(answer.get("execution") or {})

    async def update(
        self, job_id: str, status: str, version: int | None, details: Mapping[str, str]
    ) -> int:
        """The execution's new version. Raises JobsRejected with the cloud's own state."""
        body: Json = {
            "status": status,
            "statusDetails": {k: _plain(v) for k, v in details.items()},
            "includeJobExecutionState": True,
        }
        if version is not None:
            body["expectedVersion"] = version
        answer = await self._ask(f"{job_id}/update", body)
        state = answer.get("executionState") or {}
        return int(state.get("versionNumber") or (version or 0) + 1)

    async def _ask(self, operation: str, body: Json) -> Json:
        token = secrets.token_hex(8)
        answer: asyncio.Future[tuple[bool, Json]] = asyncio.get_running_loop().create_future()
        self._answers[token] = answer
        try:
            payload = json.dumps({**body, "clientToken": token}).encode()
            code = await self._link.send(f"{self._prefix}/{operation}", payload)
            if code is None or code >= 0x80:
                raise JobsAway(f"jobs: {operation} was not taken ({code})")
            await asyncio.wait({answer}, timeout=ANSWER_S)
        finally:
            self._answers.pop(token, None)
        if not answer.done():
            raise JobsAway(f"jobs: no answer to {operation} within {ANSWER_S:.0f} s")
        accepted, found = answer.result()
        if not accepted:
            raise JobsRejected(found)
        return found

    def _arrived(self, topic: str, payload: bytes) -> None:
        if topic.endswith("/notify-next"):
            self._notified()
            return
        try:
            content = json.loads(payload)
        except (ValueError, RecursionError):
            return
        token = content.get("clientToken") if isinstance(content, dict) else None
        answer = self._answers.get(str(token))
        if answer is not None and not answer.done():
            answer.set_result((topic.endswith("/accepted"), content))


def _plain(text: str) -> str:
    """A value that AWS takes: no control characters, not too long."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable[:MAX_DETAIL] or "-"
