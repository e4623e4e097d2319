"""What a core with a certificate may reach: its policy, its role and alias, its artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_iot as iot
from constructs import Construct

from infra.stacks.acknowledgements import acknowledge_prefixes
from infra.stacks.buckets import kept_bucket
from infra.targets.iot import IotNames, core_policy, role_statements

CREDENTIALS_S = 3600
"""boto3 asks anew 15 minutes before the end: with the shortest life it would ask at every call."""


def device_role(
    scope: Construct,
    *,
    alias: str,
    description: str,
    statements: Iterable[Mapping[str, Any]],
    role_name: str | None = None,
) -> tuple[iam.Role, iot.CfnRoleAlias]:
    """A role that devices get for their certificates, and the alias by which they ask for it."""
    allowed = [iam.PolicyStatement.from_json(dict(each)) for each in statements]
    role = iam.Role(
        scope,
        "Role",
        role_name=role_name,
        description=description,
        assumed_by=iam.ServicePrincipal("credentials.iot.amazonaws.com"),
        max_session_duration=Duration.seconds(CREDENTIALS_S),
        inline_policies={"core": iam.PolicyDocument(statements=allowed)},
    )
    acknowledge_prefixes(role, allowed)
    by_name = iot.CfnRoleAlias(
        scope,
        "RoleAlias",
        role_alias=alias,
        role_arn=role.role_arn,
        credential_duration_seconds=CREDENTIALS_S,
    )
    return role, by_name


class DeviceAccess(Construct):
    """One policy and one role for every core of the site; `fanfold provision` attaches them."""

    def __init__(self, scope: Construct, construct_id: str, *, document: Mapping[str, Any]) -> None:
        super().__init__(scope, construct_id)
        self._names = names = IotNames.of(document)
        self.policy = iot.CfnPolicy(
            self, "Policy", policy_name=names.policy, policy_document=core_policy(document)
        )
        self.role, self.alias = device_role(
            self,
            alias=names.role_alias,
            description=f"Of the cores of Fanfold site {names.site}, for their certificates",
            statements=role_statements(document),
        )
        # It outlives the stack: a device may still be on its way to an artifact.
        self.bucket = kept_bucket(self, "Artifacts", names.bucket)

    def outputs(self) -> dict[str, str]:
        return {
            "CorePolicy": self.policy.ref,
            "RoleAlias": self._names.role_alias,
            "ArtifactsBucket": self._names.bucket,
        }
