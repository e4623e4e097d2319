"""What the validators say of a site's stack and why it stays so, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import Construct

V1_IS_SHUT = Acknowledgment(
    id="CloudFormation-Validate::W3696",
    reason="AWS ended Greengrass V1 on 2026-10-07. The group is rendered in its format because "
    "the embedded core runs it; the stack deploys to the development cloud.",
)
PYTHON_38 = (
    Acknowledgment(
        id="CloudFormation-Validate::W2531",
        reason="A Greengrass V1 core runs nothing newer than python3.8; AWS Lambda still creates "
        "such functions until 2027-02-01, and these functions never run in the cloud.",
    ),
    Acknowledgment(
        id="AwsSolutions::AwsSolutions-L1",
        reason="A Greengrass V1 core runs nothing newer than python3.8.",
    ),
)
NO_ACCESS_LOGS = Acknowledgment(
    id="AwsSolutions::AwsSolutions-S1",
    reason="Access logs of a results bucket would be a second bucket per site that grows with "
    "every batch. Writers are two rules and one group role; who must audit reads turns on "
    "CloudTrail data events for the account.",
)
CFN_LINT = {
    # The same for whoever runs cfn-lint on the template. W3005: the CDK's own DependsOn
    # repeat what a GetAtt says already.
    "config": {"ignore_checks": ["W3696", "W2531", "W3005"]}
}
SYSTEM_FUNCTIONS = {
    # AWS's own ARNs of GGIPDetector and GGCloudSpooler have neither region nor account.
    "config": {"ignore_checks": ["E1160"]}
}
_ONE_PREFIX = (
    "The wildcard follows one prefix: keys of results, log streams and deployment ids "
    "are not known beforehand."
)


def acknowledge(scope: Construct, *acknowledgements: Acknowledgment) -> None:
    Validations.of(scope).acknowledge(*acknowledgements)


def acknowledge_prefixes(scope: Construct, statements: Iterable[iam.PolicyStatement]) -> None:
    """Acknowledge `prefix/*` in these statements; a bare `*` is nobody's to acknowledge."""
    stack = Stack.of(scope)
    for arn in (arn for statement in statements for arn in statement.resources):
        text = _as_nag_writes(stack.resolve(arn))
        if text.endswith("/*"):
            rule = f"AwsSolutions::AwsSolutions-IAM5[Resource::{text}]"
            acknowledge(scope, Acknowledgment(id=rule, reason=_ONE_PREFIX))


def _as_nag_writes(resolved: Any) -> str:
    """`{"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}]]}` is `arn:<AWS::Partition>`."""
    if isinstance(resolved, str):
        return resolved
    if "Ref" in resolved:
        return f"<{resolved['Ref']}>"
    parts = resolved.get("Fn::Join", ["", []])[1]
    return "".join(_as_nag_writes(part) for part in parts)
