"""The deployment of target iot: its artifacts as assets, and the deployer that makes the job."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from aws_cdk import Acknowledgment, CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from infra.deployer.verdict import group_of
from infra.planning.findings import Finding, InvalidInput
from infra.stacks.acknowledgements import acknowledge
from infra.stacks.assets import Assets
from infra.stacks.deployer import Deployer, deployer_function
from infra.targets.iot import IotNames, group_document
from infra.targets.iot.request import bundle_of, request
from infra.where import PROJECT

TIMEOUT = Duration.minutes(14)
MEMORY_MB = 512
OUTPUTS = ("JobId", "Status", "Succeeded", "Waiting")
LIST_JOBS = Acknowledgment(
    id="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
    reason="iot:ListJobs knows no narrower resource; it finds the site's older jobs.",
)


class JobDeployment(Construct):
    """Runs `infra/deployer/jobs.py` when the group, the code, the model or the target changes."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        document: Mapping[str, Any],
        assets: Assets,
        wait_s: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self._document, self._names = document, IotNames.of(document)
        group = self._asset("Group", document, assets)
        code = s3_assets.Asset(self, "Code", path=str(assets.lambdas))
        self._sources = [group, code]
        bundle = self._bundle()
        self.resource = CustomResource(
            self,
            "Job",
            resource_type="Custom::FanfoldJob",
            service_token=self._deployer(assets, wait_s),
            service_timeout=TIMEOUT,
            properties={
                **request(document),
                "GroupUri": _uri(group),
                "CodeUri": _uri(code),
                **({"CoreUri": bundle} if bundle else {}),
            },
        )

    def outputs(self) -> dict[str, str]:
        return {name: self.resource.get_att_string(name) for name in OUTPUTS}

    def _asset(self, name: str, document: Mapping[str, Any], assets: Assets) -> s3_assets.Asset:
        """The group document as a file of its own content's name."""
        content = group_document(document)
        digest = hashlib.sha256(content).hexdigest()
        path = assets.deployer.parent / f"group-{digest}.json"
        path.write_bytes(content)
        return s3_assets.Asset(self, name, path=str(path))

    def _bundle(self) -> str | None:
        """Where the core's bundle lies. Raises InvalidInput where its file is not there."""
        found = bundle_of(self._document)
        if found is None or found[0].startswith("s3://"):
            return found and found[0]
        path = PROJECT / found[0]
        if not path.is_file():
            said = f"core.bundle {found[0]} is not there."
            remedy = f"Make it (fanfold bundle), or copy it to {path.parent}."
            site = f"site {self._names.site}"
            raise InvalidInput([Finding("FF176", "error", site, said, remedy)])
        asset = s3_assets.Asset(self, "Core", path=str(path))
        self._sources.append(asset)
        return _uri(asset)

    def _deployer(self, assets: Assets, wait_s: int) -> str:
        """The ARN of its function."""
        acknowledge(self, LIST_JOBS)
        deployer = Deployer(
            # Apart from target v1's: a change of target makes the new one before the old one goes.
            f"fanfold-{self._names.site}-job-deployer",
            "Makes the AWS IoT jobs of one site, and waits for its devices",
            "infra.deployer.jobs.handler",
            assets.jobs_deployer,
            TIMEOUT,
            MEMORY_MB,
            {"WAIT_SECONDS": str(wait_s)},
        )
        return deployer_function(self, deployer, self._rights())

    def _rights(self) -> Iterator[iam.PolicyStatement]:
        names, s3 = self._names, f"arn:{Stack.of(self).partition}:s3:::"
        objects = [f"{s3}{a.s3_bucket_name}/{a.s3_object_key}" for a in self._sources]
        given = [request(self._document)["Model"], (bundle_of(self._document) or ("",))[0]]
        objects += [s3 + u.removeprefix("s3://") for u in given if u.startswith("s3://")]
        yield _allow(["s3:GetObject"], objects)
        own = f"{s3}{names.bucket}"
        yield _allow(["s3:GetObject", "s3:PutObject"], [f"{own}/artifacts/*"])
        yield _allow(["s3:ListBucket"], [own])  # else a missing object is 403, not 404
        job, target = names.arn(f"job/{names.job_prefix}*"), names.target(self._document)
        yield _allow(["iot:CreateJob"], [job, target])
        yield _allow(["iot:DescribeJob", "iot:CancelJob", "iot:ListJobExecutionsForJob"], [job])
        yield _allow(["iot:DescribeJobExecution"], [job, names.arn("thing/*")])
        if group_of(target):
            yield _allow(["iot:ListThingsInThingGroup"], [target])
        yield _allow(["iot:ListJobs"], ["*"])


def _allow(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=resources)


def _uri(asset: s3_assets.Asset) -> str:
    return f"s3://{asset.s3_bucket_name}/{asset.s3_object_key}"
