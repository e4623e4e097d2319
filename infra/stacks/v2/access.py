"""What a device under a nucleus may reach: the policy of its certificate, its role and alias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_iot as iot
from constructs import Construct

from infra.stacks.iot.access import device_role
from infra.targets.v2.names import V2Names
from infra.targets.v2.policy import core_device_policy, token_exchange_statements


class CoreDeviceAccess(Construct):
    """One policy, one role and one alias for every core device of the site.

    The nucleus is told the alias when it is installed; what it may download is added by the
    deployment's stack, which knows the artifacts.
    """

    def __init__(self, scope: Construct, construct_id: str, *, document: Mapping[str, Any]) -> None:
        super().__init__(scope, construct_id)
        self._names = names = V2Names.of(document)
        self.policy = iot.CfnPolicy(
            self,
            "Policy",
            policy_name=names.policy,
            policy_document=core_device_policy(document),
        )
        self.role, self.alias = device_role(
            self,
            alias=names.role_alias,
            description=f"Token exchange role of the core devices of Fanfold site {names.site}",
            statements=token_exchange_statements(document),
            role_name=names.role,
        )

    def outputs(self) -> dict[str, str]:
        return {
            "CorePolicy": self.policy.ref,
            "RoleAlias": self._names.role_alias,
            "TokenExchangeRole": self._names.role,
        }
