"""One site, one stack: wiring only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Environment, Stack
from constructs import Construct

from contract.topics import Topics
from infra.stacks.acknowledgements import CFN_LINT, PYTHON_38, V1_IS_SHUT, acknowledge
from infra.stacks.assets import Assets
from infra.stacks.definitions import Definitions, Group
from infra.stacks.deployment import Deployment
from infra.stacks.functions import Functions
from infra.stacks.identity import Things
from infra.stacks.monitor import Monitor
from infra.stacks.override import RuntimeOverride
from infra.stacks.results import Results
from infra.stacks.role import GroupRole

DEFAULT_WAIT_S = 60


class SiteStack(Stack):
    """Everything that a group document names, and the deployment that makes it run.

    `document` is the planner's (docs/spec/group-document.md). `wait_s` is how long a
    deployment is waited for before a core that is switched off is left to catch up.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        document: Mapping[str, Any],
        assets: Assets,
        wait_s: int = DEFAULT_WAIT_S,
        override: RuntimeOverride | None = None,
    ) -> None:
        site = document["Name"]
        super().__init__(
            scope,
            site,
            description=f"Fanfold site {site}: a Greengrass V1 group and its deployment",
            env=Environment(account=document["Account"], region=document["Region"]),
        )
        things = Things(self, "Things", document=document)
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
        deployment.after(things, *functions.aliases)
        self._cloud(site, document.get("Cloud", {}), deployment)
        acknowledge(self, V1_IS_SHUT)
        if override is None:
            acknowledge(functions, *PYTHON_38)
        self.add_metadata("cfn-lint", CFN_LINT)
        self._outputs(document, group, deployment)

    def _cloud(self, site: str, cloud: Mapping[str, Any], deployment: Deployment) -> None:
        """What catches results and health; there before the first of them can come."""
        if wanted := cloud.get("Results"):
            results = Results(self, "Results", site=site, settings=wanted)
            deployment.after(results)
            CfnOutput(self, "ResultsBucket", value=results.bucket_name)
            if results.prefix:
                CfnOutput(self, "ResultsPrefix", value=results.prefix)
        if wanted := cloud.get("Monitor"):
            deployment.after(Monitor(self, "Monitor", site=site, settings=wanted))
            CfnOutput(self, "Dashboard", value=f"fanfold-{site}")

    def _outputs(self, document: Mapping[str, Any], group: Group, deployment: Deployment) -> None:
        CfnOutput(self, "GroupId", value=group.group.ref)
        names = ("GroupVersionId", "DeploymentId", "DeploymentStatus")
        for name, value in deployment.outputs(names).items():
            CfnOutput(self, name, value=value)
        CfnOutput(self, "Topics", value=json.dumps(_topics(document), separators=(",", ":")))


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
