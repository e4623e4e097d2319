"""The group role: what the Lambdas may do in the cloud, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.stacks.acknowledgements import acknowledge_prefixes


class GroupRole(Construct):
    """Read the model's object, write below the site's own outbox prefix; logs where a logger asks.

    AWS's core fetches the model with the account's service role; the embedded core, and a
    worker that fetches by itself, use this one.
    """

    def __init__(self, scope: Construct, construct_id: str, *, document: Mapping[str, Any]) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        groups = stack.format_arn(
            service="greengrass", resource="/greengrass/groups", resource_name="*"
        )
        statements = list(_statements(document, stack))
        self.role = iam.Role(
            self,
            "Role",
            # Without the conditions another account's group could be given this role.
            assumed_by=iam.ServicePrincipal(
                "greengrass.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": document["Account"]},
                    "ArnLike": {"aws:SourceArn": groups},
                },
            ),
            inline_policies={"site": iam.PolicyDocument(statements=statements)}
            if statements
            else None,
        )
        acknowledge_prefixes(self, statements)


def _statements(document: Mapping[str, Any], stack: Stack) -> Iterator[iam.PolicyStatement]:
    s3 = f"arn:{stack.partition}:s3:::"
    if models := sorted(_model_objects(document)):
        yield iam.PolicyStatement(
            sid="ReadModel", actions=["s3:GetObject"], resources=[s3 + key for key in models]
        )
    if outbox := _outbox(document):
        # GetObject is what HeadObject needs: the outbox verifies what it wrote.
        yield iam.PolicyStatement(
            sid="WriteResults",
            actions=["s3:PutObject", "s3:GetObject"],
            resources=[f"{s3}{outbox}/site={document['Name']}/*"],
        )
    if any(logger["Type"] == "AWSCloudWatch" for logger in document.get("Loggers", [])):
        yield iam.PolicyStatement(
            sid="WriteLogs",
            actions=[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            resources=[
                stack.format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=f"/aws/greengrass/{scope}/*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
                for scope in ("Lambda", "GreengrassSystem")
            ],
        )


def _model_objects(document: Mapping[str, Any]) -> Iterator[str]:
    for resource in document["Resources"]:
        data = resource["ResourceDataContainer"].get("S3MachineLearningModelResourceData", {})
        if uri := data.get("S3Uri"):
            yield uri.removeprefix("s3://")


def _outbox(document: Mapping[str, Any]) -> str | None:
    """`bucket/prefix` of the aggregator's outbox, where it has one."""
    for function in document["Functions"]:
        variables = function["FunctionConfiguration"].get("Environment", {}).get("Variables", {})
        if bucket := variables.get("FANFOLD_OUTBOX_BUCKET"):
            prefix = variables.get("FANFOLD_OUTBOX_PREFIX", "").strip("/")
            return f"{bucket}/{prefix}".rstrip("/")
    return None
