"""Target v2 read back: a site's deployments, each device's word, and the group that they carry."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from contract.model_pin import pin_document
from fanfold.cloud.access import Access, explained
from fanfold.cloud.jobs import Device, complaints
from infra.deployer.verdict import BAD, members, pages
from infra.planning import Site
from infra.targets.v2.names import V2Names
from infra.targets.v2.recipes import artifact_uris

Document = dict[str, Any]
LOOKED_AT = 30
DONE = ("SUCCEEDED", "COMPLETED")
_MODEL = "S3MachineLearningModelResourceData"


@dataclass(frozen=True)
class ComponentDeployment:
    """One deployment. `status` is AWS's; `given`: what CreateDeployment takes to make it again."""

    id: str
    status: str
    created_at: str
    is_latest: bool
    given: Document
    devices: tuple[Device, ...]

    @property
    def versions(self) -> dict[str, str]:
        """By component, those of others beside."""
        components = self.given.get("components") or {}
        return {name: str(each["componentVersion"]) for name, each in sorted(components.items())}

    @property
    def version(self) -> str:
        """Of what it deploys: the same for a roll-back to it."""
        told = json.dumps(self.given.get("components") or {}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def outcome(self) -> str:
        """In the words that deployments of any target have."""
        if self.status in ("FAILED", "CANCELED") or any(d.status in BAD for d in self.devices):
            return "Failure"
        ended = [device for device in self.devices if device.status in DONE]
        if self.status == "COMPLETED" or (ended and len(ended) == len(self.devices)):
            return "Success"
        if self.is_latest:
            return "InProgress"
        return "Success" if ended else "Failure"

    @property
    def error(self) -> str:
        return complaints(self.devices, self.outcome, self.status)


def names_of(site: Site) -> V2Names:
    return V2Names(site.name, site.account, site.region)


def target_of(site: Site) -> str:
    """ARN of the thing or the thing group."""
    kind = f"thinggroup/{site.core.group}" if site.core.group else f"thing/{site.core.thing}"
    return names_of(site).arn(kind)


def own_components(site: Site) -> tuple[str, str, str]:
    names = names_of(site)
    return names.runtime, names.core, names.model


def read_deployments(access: Access, site: Site) -> list[ComponentDeployment]:
    """Of the site's target, newest first; those that others made for it are left out."""
    greengrass, core = access.client("greengrassv2"), names_of(site).core
    with explained(access, f"deployments of {site.name}"):
        listed = list(
            pages(
                greengrass.list_deployments, "deployments",
                targetArn=target_of(site), historyFilter="ALL",
            )
        )  # fmt: skip
        listed.sort(key=lambda each: each["creationTimestamp"], reverse=True)
        read = (_read(access, site, each) for each in listed[:LOOKED_AT])
        return [each for each in read if core in each.versions]


def _read(access: Access, site: Site, listed: Mapping[str, Any]) -> ComponentDeployment:
    answer = access.client("greengrassv2").get_deployment(deploymentId=listed["deploymentId"])
    moment = answer["creationTimestamp"].astimezone(timezone.utc)
    latest = bool(answer.get("isLatestForTarget"))
    again = ("targetArn", "deploymentName", "components", "deploymentPolicies",
        "iotJobConfiguration")  # fmt: skip
    return ComponentDeployment(
        id=answer["deploymentId"],
        status=str(answer["deploymentStatus"]),
        created_at=datetime.strftime(moment, "%Y-%m-%dT%H:%M:%SZ"),
        is_latest=latest,
        given={key: answer[key] for key in again if answer.get(key)},
        devices=tuple(_devices(access, site, answer, latest=latest)),
    )


def _devices(
    access: Access, site: Site, answer: Mapping[str, Any], *, latest: bool
) -> Iterator[Device]:
    """Of the latest by what each nucleus reports; of one before by its job, where it is open."""
    if latest:
        yield from effective(access, site, str(answer["deploymentId"]))
    elif answer["deploymentStatus"] in ("ACTIVE", "INACTIVE") and answer.get("iotJobId"):
        yield from _executions(access, str(answer["iotJobId"]))


def effective(access: Access, site: Site, deployment_id: str) -> Iterator[Device]:
    """Each device of the site: what it says of this deployment; QUEUED before it has seen it."""
    greengrass = access.client("greengrassv2")
    for thing in things(access, site):
        try:
            found = greengrass.list_effective_deployments(coreDeviceThingName=thing)
        except greengrass.exceptions.ResourceNotFoundException:  # no nucleus was ever heard of it
            found = {"effectiveDeployments": []}
        own = [d for d in found["effectiveDeployments"] if d["deploymentId"] == deployment_id]
        told = own[0] if own else {}
        status = str(told.get("coreDeviceExecutionStatus") or "QUEUED")
        yield Device(thing, status, "", str(told.get("reason") or ""))


def _executions(access: Access, job_id: str) -> Iterator[Device]:
    iot = access.client("iot")
    try:
        listed = list(pages(iot.list_job_executions_for_job, "executionSummaries", jobId=job_id))
    except iot.exceptions.ResourceNotFoundException:  # AWS forgets jobs after two years
        return
    for each in listed:
        status = each["jobExecutionSummary"]["status"]
        yield Device(each["thingArn"].rpartition("/")[2], status, "", "")


def things(access: Access, site: Site) -> list[str]:
    """None where the group is gone: a site's end takes it away, and its deployments stay listed."""
    if not site.core.group:
        return [site.core.thing]
    iot = access.client("iot")
    try:
        return members(iot, site.core.group)
    except iot.exceptions.ResourceNotFoundException:
        return []


def recipe_of(access: Access, site: Site, component: str, version: str) -> Document:
    """Component versions are retained, so that of any deployment can be read."""
    names = names_of(site)
    arn = f"arn:{names.partition}:greengrass:{site.region}:{site.account}:components:"
    with explained(access, f"component {component} {version}"):
        answer = access.client("greengrassv2").get_component(
            arn=f"{arn}{component}:versions:{version}", recipeOutputFormat="JSON"
        )
    recipe: Document = json.loads(answer["recipe"])
    return recipe


def artifacts_of(access: Access, site: Site, deployment: ComponentDeployment) -> list[str]:
    """URIs of everything that a device downloads for it from this account."""
    found: list[str] = []
    for name in own_components(site):
        if version := deployment.versions.get(name):
            found += artifact_uris(recipe_of(access, site, name, version))
    return sorted(set(found))


def group_document(access: Access, site: Site, deployment: ComponentDeployment) -> Document:
    """The Core's group with the Model's package, and the hash of the Core's code."""
    names, versions = names_of(site), deployment.versions
    (core, *_) = artifact_uris(recipe_of(access, site, names.core, versions[names.core]))
    bucket, _, key = core.removeprefix("s3://").partition("/")
    with explained(access, f"archive {core}"):
        body = access.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        document: Document = json.loads(archive.read("group.json"))
        digest = hashlib.sha256(archive.read("lambdas.zip")).digest()
    for entry in document["Lambdas"].values():
        entry["CodeSha256"] = base64.b64encode(digest).decode()
    if version := versions.get(names.model):
        (model, *_) = artifact_uris(recipe_of(access, site, names.model, version))
        for resource in document["Resources"]:
            if data := resource["ResourceDataContainer"].get(_MODEL):
                data["S3Uri"] = model
        pin_document(document, model)
    return document
