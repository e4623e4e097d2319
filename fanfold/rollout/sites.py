"""One site as a rollout sees it: what it runs by the cloud's word, and its health reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fanfold.cloud.access import Access, explained
from fanfold.cloud.component_deployments import DONE
from fanfold.cloud.deployed import Deployed, Deployment, read_document, read_site_deployed
from fanfold.cloud.model_age import model_uri
from fanfold.rollout.health import Limits, Report
from infra.planning import Site

ENGINES = {
    "v1": "CDK, Greengrass deployment",
    "iot": "CDK, AWS IoT job",
    "v2": "CDK, Greengrass V2 deployment",
}
DEFAULT_RESTARTS = 3


@dataclass(frozen=True)
class Standing:
    """The newest deployment that has not failed. `status`: Success, InProgress or Failure.

    `done` of `boxes` devices have it: more than one box where the site is a thing group, and
    none counted where the target does not say. `refused`: why a still newer deployment failed;
    `partly`: some devices of the group run that one all the same; `in_force`: target v2, whose
    failed deployment stays the newest of its target, which a device that comes back is given.
    """

    version: str
    status: str
    model: str
    error: str = ""
    done: int = 0
    boxes: int = 0
    refused: str = ""
    partly: bool = False
    in_force: bool = False

    @property
    def runs(self) -> bool:
        """At least one device runs it."""
        return self.status == "Success" or self.done > 0

    def is_at(self, version: str) -> bool:
        """Its devices run it, or will, without anything more being done."""
        return self.version == version and self.status != "Failure" and not self.in_force


@dataclass(frozen=True)
class Target:
    """A site of the rollout. `file`: what the other verbs are called with."""

    file: str
    site: Site
    access: Access = field(repr=False)

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def engine(self) -> str:
        group = self.site.core.group
        return ENGINES[self.site.target] + (f" for thing group {group}" if group else "")

    @property
    def report_every_s(self) -> int | None:
        """None: the site sends no health reports; its deployment's word has to do."""
        cloud = self.site.cloud
        return cloud.monitor.every_s if cloud.mqtt and cloud.monitor else None

    def limits(self, failed_percent: float) -> Limits:
        monitor = self.site.cloud.monitor
        return Limits(failed_percent, (monitor and monitor.worker_restarts) or DEFAULT_RESTARTS)

    def standing(self) -> Standing | None:
        """None: nothing was ever deployed."""
        deployed = read_site_deployed(self.access, self.site)
        if deployed is None or deployed.current is None:
            return None
        current = deployed.current
        done, boxes = _boxes(deployed, current)
        model = model_uri(read_document(self.access, deployed, current))
        newest = deployed.deployments[0]
        failed = newest.id != current.id and newest.status == "Failure"
        return Standing(
            current.version, current.status, model, current.error, done, boxes,
            refused=newest.error if failed else "",
            partly=failed and _boxes(deployed, newest)[0] > 0,
            in_force=failed and deployed.target == "v2",
        )  # fmt: skip

    def reports(self, since: float, until: float) -> list[Report]:
        """Health reports that the cloud had between two times (epoch seconds), oldest first."""
        logs = self.access.client("logs")
        window = {"startTime": int(since * 1000), "endTime": int(until * 1000) + 1}
        with explained(self.access, f"health reports of {self.name}"):
            try:
                pages = logs.get_paginator("filter_log_events").paginate(
                    logGroupName=f"/fanfold/{self.name}/health", **window
                )
                found = [event for page in pages for event in page["events"]]
            except logs.exceptions.ResourceNotFoundException:
                return []
        return sorted(_reports(found), key=lambda report: report.at)


def _boxes(deployed: Deployed, deployment: Deployment) -> tuple[int, int]:
    devices = deployed.devices(deployment) or ()
    return sum(device.status in DONE for device in devices), len(devices)


def _reports(events: list[dict[str, Any]]) -> Iterator[Report]:
    """What is no report of ours is left out: the log group is open to whoever may write there."""
    for event in events:
        try:
            values = json.loads(event["message"])
            yield Report(values["core"], values["part"], event["timestamp"] / 1000, values)
        except (ValueError, KeyError, TypeError):
            continue
