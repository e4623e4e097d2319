"""AWS IoT Jobs as one device sees it, and whole job documents; no network between them."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from served_files import Files

FINAL = ("SUCCEEDED", "FAILED", "REJECTED", "CANCELED", "TIMED_OUT", "REMOVED")
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:fanfold-hall-w0:live"


@dataclass
class Execution:
    job_id: str
    document: dict[str, Any]
    queued_at: int
    status: str = "QUEUED"
    version: int = 1
    details: dict[str, str] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        return {
            "jobId": self.job_id, "queuedAt": self.queued_at, "executionNumber": 1,
            "versionNumber": self.version,
        }  # fmt: skip

    def state(self) -> dict[str, Any]:
        return {"status": self.status, "statusDetails": self.details, "versionNumber": self.version}


class JobsService:
    """Answers requests as the developer guide says; ``link`` is what an executor gets."""

    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}
        self.down = False
        self.most_listed: int | None = None
        self.before_update: Callable[[Execution, dict[str, Any]], None] = lambda *_: None
        self.updates: list[tuple[str, str, dict[str, str]]] = []

    def queue(self, job_id: str, document: dict[str, Any]) -> Execution:
        one = Execution(job_id, document, queued_at=1000 + len(self.executions))
        self.executions[job_id] = one
        return one

    def answer(self, operation: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        token = {"clientToken": body.get("clientToken"), "timestamp": int(time.time())}
        if operation == "get":
            return "accepted", {**self._lists(), **token}
        job_id, _, verb = operation.partition("/")
        one = self.executions.get(job_id)
        if one is None:
            return "rejected", {"code": "ResourceNotFound", "message": "no such job", **token}
        if verb == "get":
            execution = {**one.summary(), "status": one.status, "jobDocument": one.document}
            return "accepted", {"execution": execution, **token}
        return self._update(one, body, token)

    def _lists(self) -> dict[str, Any]:
        open_ones = [e for e in self.executions.values() if e.status not in FINAL]
        open_ones = open_ones[: self.most_listed]
        return {
            "inProgressJobs": [e.summary() for e in open_ones if e.status == "IN_PROGRESS"],
            "queuedJobs": [e.summary() for e in open_ones if e.status == "QUEUED"],
        }

    def _update(
        self, one: Execution, body: dict[str, Any], token: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        self.before_update(one, body)
        refused = {"executionState": one.state(), "message": "no", **token}
        if one.status in FINAL:
            return "rejected", {"code": "TerminalStateReached", **refused}
        if body.get("expectedVersion", one.version) != one.version:
            return "rejected", {"code": "VersionMismatch", **refused}
        one.status, one.version = body["status"], one.version + 1
        one.details = body.get("statusDetails", one.details)
        assert len(one.details) <= 10
        assert all(len(v) <= 1024 and v.isprintable() for v in one.details.values())
        one.history.append((one.status, one.details.get("step", "")))
        return "accepted", {"executionState": one.state(), **token}


class FakeLink:
    """``edgecore.uplink.iot.link.Link`` as the executor uses it."""

    def __init__(self, service: JobsService) -> None:
        self._service = service
        self._handlers: list[Callable[[str, bytes], None]] = []
        self._watchers: list[Callable[[], None]] = []

    @property
    def session(self) -> object | None:
        return None if self._service.down else self._service

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)

    async def listen(self, _filters: list[str], handler: Callable[[str, bytes], None]) -> None:
        self._handlers.append(handler)

    def changed(self) -> None:
        for changed in self._watchers:
            changed()

    async def send(self, topic: str, payload: bytes) -> int | None:
        if self._service.down:
            return None
        operation = topic.partition("/jobs/")[2]
        end, answer = self._service.answer(operation, json.loads(payload))
        for handler in self._handlers:
            loop = asyncio.get_running_loop()
            loop.call_soon(handler, f"{topic}/{end}", json.dumps(answer).encode())
        return 0


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.py"), text)
    return buffer.getvalue()


def packed_model(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("model.json")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def group_document(thing: str = "hall-core", **more: Any) -> dict[str, Any]:
    return {
        "Name": "hall", "Region": "eu-central-1",
        "Core": {
            "Id": "core", "ThingName": thing, "CertificateArn": "",
            "ThingArn": f"arn:aws:iot:eu-central-1:123456789012:thing/{thing}",
        },
        "Functions": [
            {"Id": "w0", "FunctionArn": ARN, "FunctionConfiguration": {"Pinned": True}}
        ],
        "Lambdas": {ARN: {"FunctionName": "w0", "Handler": "main.h", "Runtime": "python3.8"}},
        "Resources": [
            {
                "Id": "model", "Name": "model",
                "ResourceDataContainer": {
                    "S3MachineLearningModelResourceData": {
                        "DestinationPath": "/model", "S3Uri": "s3://models/m.tar.gz",
                    }
                },
            }
        ],
        **more,
    }  # fmt: skip


def job(files: Files, number: int, **more: Any) -> dict[str, Any]:
    """A whole job document, its artifacts served by ``files``."""
    group = more.pop("group_document", None) or group_document(Version=str(number))
    return {
        "v": 1, "site": "hall", "issued_at": 1_800_000_000 + number,
        "group": files.put(f"group-{number}.json", json.dumps(group).encode()),
        "code": [{"arns": [ARN], **files.put(f"code-{number}.zip", zipped(main=f"x = {number}"))}],
        "model": files.put(f"model-{number}.tar.gz", packed_model(f'{{"n": {number}}}')),
        **more,
    }  # fmt: skip


class Deployed:
    """The core's side: the real ``edgecore.deploy`` on the disk, a health gate that is told."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.verdict: str | None = ""
        self.compares = False
        self.candidate: Any = None
        self.withdrawn = ""
        self.deployed: list[str] = []

    async def deploy(self, loaded: Any) -> None:
        from edgecore import deploy

        self.deployed.append(loaded.deployment_id)
        if self.compares:
            self.candidate = loaded
            return
        deploy.apply(self._state, loaded, uncommitted=True)

    def is_candidate(self, deployment_id: str) -> bool:
        return self.candidate is not None and self.candidate.deployment_id == deployment_id

    async def withdraw(self, deployment_id: str, why: str) -> None:
        if self.is_candidate(deployment_id):
            self.candidate, self.withdrawn = None, why

    def decide(self, reason: str) -> None:
        """The canary of the candidate has spoken."""
        from edgecore import deploy

        loaded, self.candidate, self.compares = self.candidate, None, False
        if reason:
            deploy.refuse(self._state, loaded.deployment_id, reason)
        else:
            deploy.apply(self._state, loaded, uncommitted=True)

    def outcome(self, deployment_id: str) -> tuple[str, str] | None:
        from edgecore import deploy

        refusal = deploy.refused(self._state)
        if refusal is not None and refusal.deployment == deployment_id:
            return "Failure", refusal.reason
        current = deploy.current(self._state)
        if current is None or current.deployment_id != deployment_id:
            return None
        if deploy.is_uncommitted(self._state):
            if self.verdict is None:
                return None
            if self.verdict:
                deploy.rollback(self._state)
                deploy.refuse(self._state, deployment_id, self.verdict)
                return "Failure", self.verdict
            deploy.commit(self._state)
        return "Success", ""

    def running(self) -> str | None:
        from edgecore import deploy

        current = deploy.current(self._state)
        return current.deployment_id if current else None
