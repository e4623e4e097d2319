"""What is deployed of a site, read back, and made comparable with what would be.

The API gives a group back without what only the planner needs (`ThingName`, `Account`),
leaves out what is empty or false, and adds ids of its own; code is compared by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecore.sources import api
from edgecore.sources.aws_clients import AwsClients
from edgecore.sources.errors import MISSING, SourceError
from fanfold.cloud import component_deployments as by_components
from fanfold.cloud.access import Access, explained
from fanfold.cloud.component_deployments import ComponentDeployment
from fanfold.cloud.jobs import Device, SiteJob, group_document, read_jobs
from fanfold.common.errors import UserError
from fanfold.common.project import site_file
from infra.hooks import hook_files
from infra.packaging import build_lambdas
from infra.planning import Plan, Site, render
from infra.targets.iot.names import IotNames

Document = dict[str, Any]
_NOT_COMPARED = (
    "Id", "Version", "DeploymentId", "Certificates", "Models",  # of the deployment
    "Region", "Account", "Cloud", "Target",  # of the stack
)  # fmt: skip
_HASH_DIGITS = 12
LOOKED_AT = 30
"""So many deployments of a group are asked for their status."""


@dataclass(frozen=True)
class Deployment:
    """One deployment of a group; `status` as the API says it, `error` where it failed."""

    id: str
    version: str
    created_at: str
    status: str
    error: str
    kind: str = "NewDeployment"


@dataclass(frozen=True)
class Deployed:
    """A group in the cloud with its deployments, newest first, back to the last reset."""

    group_id: str
    name: str
    deployments: tuple[Deployment, ...]
    target: str = "v1"
    jobs: tuple[SiteJob, ...] = ()
    components: tuple[ComponentDeployment, ...] = ()
    site: Site | None = None
    """With `components`, where they are read from."""

    @property
    def current(self) -> Deployment | None:
        """The newest that has not failed; where all have failed, the newest."""
        alive = [each for each in self.deployments if each.status != "Failure"]
        return next(iter(alive or self.deployments), None)

    @property
    def in_force(self) -> Deployment | None:
        """Target v2: the newest, failed or not, which devices that come back are given.

        Of the other targets CloudFormation, or the core, has put back what failed.
        """
        return self.deployments[0] if self.target == "v2" else None

    def devices(self, deployment: Deployment) -> tuple[Device, ...] | None:
        """What each device says of it; None: its target has no word of single devices."""
        made: list[SiteJob | ComponentDeployment] = [*self.jobs, *self.components]
        return next((each.devices for each in made if each.id == deployment.id), None)

    def core_version(self, deployment: Deployment) -> str:
        """Target iot: the newest that a job up to this deployment brought."""
        ids = [job.id for job in self.jobs]
        until = self.jobs[ids.index(deployment.id) :] if deployment.id in ids else ()
        return next((job.core_version for job in until if job.core_version), "")

    def component_deployment(self, deployment: Deployment) -> ComponentDeployment:
        return next(each for each in self.components if each.id == deployment.id)

    def code_at(self, deployment: Deployment) -> str:
        """When the code that a deployment runs was the newest: its own time, as a rule.

        A roll-back, by hand or by CloudFormation after a failure, has the code of the
        deployment that it went back to.
        """
        older = self.deployments[self.deployments.index(deployment) + 1 :]
        goes_back = deployment.kind == "Redeployment" or (older and older[0].status == "Failure")
        for each in older if goes_back else ():
            if each.version == deployment.version and each.status != "Failure":
                return self.code_at(each)
        return deployment.created_at


def read_site_deployed(access: Access, site: Site) -> Deployed | None:
    """What is deployed of a site, by its target; None: nothing ever was."""
    if site.target == "iot":
        return _read_jobs(access, site)
    if site.target == "v2":
        return _read_components(access, site)
    return read_deployed(access, site.name)


def _read_jobs(access: Access, site: Site) -> Deployed | None:
    names = IotNames(site.name, site.account, site.region)
    jobs = read_jobs(access, names.job_prefix)
    made = tuple(
        Deployment(job.id, job.version, job.created_at, job.outcome, job.error) for job in jobs
    )
    return Deployed("", site.name, made, "iot", tuple(jobs)) if made else None


def _read_components(access: Access, site: Site) -> Deployed | None:
    found = tuple(by_components.read_deployments(access, site))
    made = tuple(
        Deployment(each.id, each.version, each.created_at, each.outcome, each.error)
        for each in found
    )
    return Deployed("", site.name, made, "v2", components=found, site=site) if made else None


def read_deployed(access: Access, site: str) -> Deployed | None:
    """None: there is no such group, or it has never been deployed."""
    greengrass = access.client("greengrass")
    with explained(access, f"group {site}"):
        try:
            found = api.find_group(greengrass, site)
        except SourceError as error:
            if error.exit_code == MISSING:
                return None
            raise UserError(str(error), error.exit_code) from error
        made = api.deployments_of(greengrass, found["Id"])
        newest = made[:LOOKED_AT]
        deployments = tuple(_deployment(greengrass, found["Id"], each) for each in newest)
    return Deployed(found["Id"], site, deployments) if deployments else None


def _deployment(greengrass: Any, group_id: str, made: Mapping[str, Any]) -> Deployment:
    answer = greengrass.get_deployment_status(GroupId=group_id, DeploymentId=made["DeploymentId"])
    return Deployment(
        id=made["DeploymentId"],
        version=made["GroupArn"].rpartition("/versions/")[2],
        created_at=str(made.get("CreatedAt") or ""),
        status=str(answer["DeploymentStatus"]),
        error=str(answer.get("ErrorMessage") or ""),
        kind=str(made.get("DeploymentType") or "NewDeployment"),
    )


def read_document(access: Access, deployed: Deployed, deployment: Deployment) -> Document:
    """The group document of a deployment, as the core reads it."""
    if deployed.target == "iot":
        job = next(job for job in deployed.jobs if job.id == deployment.id)
        return group_document(access, job)
    if deployed.site is not None:
        return by_components.group_document(
            access, deployed.site, deployed.component_deployment(deployment)
        )
    wanted = api.Deployment(
        id=deployment.id,
        group_id=deployed.group_id,
        group_name=deployed.name,
        version=deployment.version,
    )
    try:
        return api.document_of(_Clients(access), wanted)
    except SourceError as error:
        raise UserError(str(error), error.exit_code) from error


class _Clients(AwsClients):
    """The core's own reader with this command's clients."""

    def __init__(self, access: Access) -> None:
        super().__init__(region=access.region)
        self.client = access.client  # type: ignore[method-assign]


def planned_document(plan: Plan, site: str) -> Document:
    """What a deployment would make of a site, with the hash of the code it would carry."""
    document = render(plan)
    sha256 = _code_sha256(plan, site)
    for entry in document["Lambdas"].values():
        entry["CodeSha256"] = sha256
    return document


def _code_sha256(plan: Plan, site: str) -> str:
    """In base64, as AWS Lambda says it."""
    module = plan.site.hooks
    hooks = hook_files(module, site_file(site).parent) if module else {}
    with tempfile.TemporaryDirectory() as folder:
        archive = build_lambdas(Path(folder) / "lambdas.zip", hooks=hooks)
        return base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode()


def comparable(document: Mapping[str, Any]) -> Document:
    """A planned or a deployed document in the one form that both have."""
    kept = {key: value for key, value in document.items() if key not in _NOT_COMPARED}
    kept["Lambdas"] = {arn: _code(entry) for arn, entry in (kept.get("Lambdas") or {}).items()}
    plain: Document = _plain(kept)
    for function in plain.get("Functions", []):
        function["FunctionConfiguration"].setdefault("Pinned", False)
    return plain


def _code(entry: Mapping[str, Any]) -> Document:
    described = {key: entry.get(key) for key in ("FunctionName", "Handler", "Runtime")}
    digest = base64.b64decode(entry.get("CodeSha256") or "").hex()
    return {**described, "code": digest[:_HASH_DIGITS]}


def _plain(value: Any) -> Any:
    """Without what is empty or false, which the API leaves out; CloudFormation's text as values."""
    if isinstance(value, Mapping):
        inner = {key: _plain(each) for key, each in value.items() if key != "ThingName"}
        return {key: each for key, each in inner.items() if each not in (None, {}, [], "", False)}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value
