"""The deployment of the group version, as a resource of the stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from aws_cdk import CfnResource, CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable

from infra.stacks.deployer import Deployer, deployer_function

TIMEOUT = Duration.minutes(10)


class Deployment(Construct):
    """Runs `infra/deployer/handler.py` when the group version, or `revision`, changes."""

    def __init__(  # noqa: PLR0913 (a construct takes its parts by keyword)
        self,
        scope: Construct,
        construct_id: str,
        *,
        site: str,
        group: CfnResource,
        version: CfnResource,
        revision: str,
        wait_s: int,
        code_zip: Path,
        override: str | None = None,
        functions: CfnResource | None = None,
    ) -> None:
        """`override`: run on the device with this runtime, which needs the right to write
        versions of the definition `functions`."""
        super().__init__(scope, construct_id)
        self._functions = functions if override else None
        deployer = Deployer(
            f"fanfold-{site}-deployer",
            "Creates and resets the deployments of one Greengrass group",
            "handler.handler",
            code_zip,
            TIMEOUT,
            environment={"WAIT_SECONDS": str(wait_s)},
        )
        self.resource = CustomResource(
            self,
            "Deployment",
            resource_type="Custom::GreengrassDeployment",
            service_token=deployer_function(self, deployer, self._rights(group)),
            service_timeout=TIMEOUT,
            properties={
                "GroupId": group.ref,
                "GroupVersionArn": version.ref,
                "Revision": revision,
                **({"RuntimeOverride": override} if override else {}),
            },
        )

    def after(self, *dependencies: IDependable) -> None:
        """Deploy after these exist, and reset the group before they go."""
        self.resource.node.add_dependency(*dependencies)

    def outputs(self, names: Iterable[str]) -> dict[str, str]:
        return {name: self.resource.get_att_string(name) for name in names}

    def _override_rights(self, group_arn: str, functions: CfnResource) -> list[iam.PolicyStatement]:
        """Read a version, write one: of this group and of its functions."""
        definition_arn = Stack.of(self).format_arn(
            service="greengrass",
            resource="/greengrass/definition/functions",
            resource_name=functions.ref,
        )
        return [
            iam.PolicyStatement(
                actions=["greengrass:GetGroupVersion", "greengrass:CreateGroupVersion"],
                resources=[group_arn, f"{group_arn}/versions/*"],
            ),
            iam.PolicyStatement(
                actions=[
                    "greengrass:GetFunctionDefinitionVersion",
                    "greengrass:CreateFunctionDefinitionVersion",
                ],
                resources=[definition_arn, f"{definition_arn}/versions/*"],
            ),
        ]

    def _rights(self, group: CfnResource) -> Iterator[iam.PolicyStatement]:
        group_arn = Stack.of(self).format_arn(
            service="greengrass", resource="/greengrass/groups", resource_name=group.ref
        )
        yield iam.PolicyStatement(
            actions=[
                "greengrass:CreateDeployment",
                "greengrass:GetDeploymentStatus",
                "greengrass:ResetDeployments",
            ],
            resources=[group_arn, f"{group_arn}/deployments/*"],
        )
        if self._functions:
            yield from self._override_rights(group_arn, self._functions)
