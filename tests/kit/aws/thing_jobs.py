"""A thing of the development cloud that listens for its jobs, and their side in the API."""

from __future__ import annotations

import json
import uuid

from paho_client import Client
from things import IOT

DOCUMENT = {"v": 1, "do": "something"}


class Device(Client):
    """A thing that listens for its jobs and asks about them."""

    def open(self, *args, **options) -> int:
        reason = super().open(*args, **options)
        self.subscribe(f"{self.prefix}notify", f"{self.prefix}notify-next")
        return reason

    @property
    def prefix(self) -> str:
        return f"$aws/things/{self.thing.name}/jobs/"

    def __init__(self, thing, **options) -> None:
        self.thing = thing
        super().__init__(thing, **options)

    def ask(self, rest: str, **body):
        """The answer to one request, whether accepted or rejected; (verdict, body)."""
        token = uuid.uuid4().hex
        self.publish(f"{self.prefix}{rest}", {**body, "clientToken": token})
        while True:
            topic, found = self.message()
            if found.get("clientToken") == token:
                return topic.rpartition("/")[2], found

    def next_notice(self, kind: str = "notify-next"):
        while True:
            topic, found = self.message()
            if topic == f"{self.prefix}{kind}":
                return found


def create(thing, job_id: str | None = None, targets=None, **more) -> str:
    job_id = job_id or f"job-{uuid.uuid4().hex[:8]}"
    targets = targets or [f"{IOT}:thing/{thing.name}"]
    thing.cloud.client("iot").create_job(
        jobId=job_id, targets=targets, document=json.dumps(DOCUMENT), **more
    )
    return job_id


def described(thing, job_id: str):
    return thing.cloud.client("iot").describe_job(jobId=job_id)["job"]


def status_on(thing, job_id: str) -> str:
    found = thing.cloud.client("iot").describe_job_execution(jobId=job_id, thingName=thing.name)
    return found["execution"]["status"]
