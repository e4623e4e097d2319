"""AWS IoT topic rules: each with a role of its own that may do the one thing it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.stacks.acknowledgements import acknowledge_prefixes

SQL_VERSION = "2016-03-23"
LOG_ACTIONS = ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")


def topic_rule(  # noqa: PLR0913 (a construct takes its parts by keyword)
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    topic: str,
    role: iam.Role,
    action: Mapping[str, Any],
    error_action: Mapping[str, Any] | None = None,
) -> CfnResource:
    """`SELECT *` of one topic into one action; what fails goes to `error_action`."""
    payload: dict[str, Any] = {
        "Sql": f"SELECT * FROM '{topic}'",  # noqa: S608 (a rule's SQL; the planner made the topic)
        "AwsIotSqlVersion": SQL_VERSION,
        "Actions": [_with_role(action, role)],
        "RuleDisabled": False,
    }
    if error_action:
        payload["ErrorAction"] = _with_role(error_action, role)
    return CfnResource(
        scope,
        construct_id,
        type="AWS::IoT::TopicRule",
        properties={"RuleName": name, "TopicRulePayload": payload},
    )


def rule_role(
    scope: Construct, construct_id: str, *, name: str, statements: Sequence[iam.PolicyStatement]
) -> iam.Role:
    """Assumed by that one rule of this account only."""
    stack = Stack.of(scope)
    rule_arn = stack.format_arn(service="iot", resource="rule", resource_name=name)
    role = iam.Role(
        scope,
        construct_id,
        assumed_by=iam.ServicePrincipal(
            "iot.amazonaws.com",
            conditions={
                "StringEquals": {"aws:SourceAccount": stack.account},
                "ArnEquals": {"aws:SourceArn": rule_arn},
            },
        ),
        inline_policies={"rule": iam.PolicyDocument(statements=list(statements))},
    )
    acknowledge_prefixes(role, statements)
    return role


def _with_role(action: Mapping[str, Any], role: iam.Role) -> dict[str, Any]:
    return {kind: {**settings, "RoleArn": role.role_arn} for kind, settings in action.items()}
