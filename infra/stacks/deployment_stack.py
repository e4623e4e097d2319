"""The deployment of a site: a Greengrass group (v1), a job (iot), or components (v2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Environment, Stack
from constructs import Construct

from contract.topics import Topics
from infra.planning.stack_names import deployment_stack_name
from infra.stacks.acknowledgements import CFN_LINT, PYTHON_38, V1_IS_SHUT, acknowledge
from infra.stacks.assets import Assets
from infra.stacks.definitions import Definitions, Group
from infra.stacks.deployment import Deployment
from infra.stacks.iot.job import JobDeployment
from infra.stacks.override import RuntimeOverride
from infra.stacks.role import GroupRole
from infra.stacks.v2.components import SiteComponents


class DeploymentStack(Stack):
    """What all targets have; its id is the site's name, so that `cdk deploy SITE` means it."""

    def __init__(
        self,
        scope: Construct,
        *,
        document: Mapping[str, Any],
        assets: Assets,
        wait_s: int,
        override: RuntimeOverride | None = None,
    ) -> None:
        site = document["Name"]
        super().__init__(
            scope,
            site,
            stack_name=deployment_stack_name(site),
            description=f"Fanfold site {site}: the deployment to its device",
            env=Environment(account=document["Account"], region=document["Region"]),
        )
        target = document.get("Target", {}).get("Name", "v1")
        if target == "v2":
            self._components(document, assets)
        elif target == "iot":
            self._job(document, assets, wait_s)
        else:
            self._group(document, assets, wait_s, override)
        topics = json.dumps(_topics(document), separators=(",", ":"))
        CfnOutput(self, "Topics", value=topics)
        self.add_metadata("cfn-lint", CFN_LINT)

    def _job(self, document: Mapping[str, Any], assets: Assets, wait_s: int) -> None:
        job = JobDeployment(self, "Job", document=document, assets=assets, wait_s=wait_s)
        for name, value in job.outputs().items():
            CfnOutput(self, name, value=value)

    def _components(self, document: Mapping[str, Any], assets: Assets) -> None:
        made = SiteComponents(self, "Components", document=document, assets=assets)
        for name, value in made.outputs().items():
            CfnOutput(self, name, value=value)

    def _group(
        self,
        document: Mapping[str, Any],
        assets: Assets,
        wait_s: int,
        override: RuntimeOverride | None,
    ) -> None:
        """Everything that a group document names, and the deployment that makes it run."""
        from infra.stacks.functions import Functions  # and with it EC2: seconds of import

        site = document["Name"]
        functions = Functions(
            self,
            "Functions",
            document=document,
            code_zip=assets.lambdas,
            runtime=override.cloud if override else None,
        )
        role = GroupRole(self, "GroupRole", document=document)
        definitions = Definitions(self, "Definitions", document=document)
        group = Group(
            self,
            "Group",
            name=site,
            role_arn=role.role.role_arn,
            versions=definitions.versions,
        )
        deployment = Deployment(
            self,
            "Deployment",
            site=site,
            group=group.group,
            version=group.version,
            revision=assets.lambdas_sha256,
            wait_s=wait_s,
            code_zip=assets.deployer,
            override=override.device if override else None,
            functions=definitions.definitions["Function"],
        )
        deployment.after(*functions.aliases)
        acknowledge(self, V1_IS_SHUT)
        if override is None:
            acknowledge(functions, *PYTHON_38)
        CfnOutput(self, "GroupId", value=group.group.ref)
        names = ("GroupVersionId", "DeploymentId", "DeploymentStatus")
        for name, value in deployment.outputs(names).items():
            CfnOutput(self, name, value=value)


def _topics(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Where images go in, and what reaches the cloud."""
    devices = {device["ThingArn"] for device in document["Devices"]}
    subscriptions = document["Subscriptions"]
    prefix = Topics(document["Name"]).images_prefix
    published = {s["Subject"] for s in subscriptions if s["Source"] in devices}
    images = {topic for topic in published if topic.startswith(prefix)}
    return {
        "images": sorted(topic for topic in images if not topic.endswith("/+")),
        "cloud": sorted({s["Subject"] for s in subscriptions if s["Target"] == "cloud"}),
    }
