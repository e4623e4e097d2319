"""The AWS Lambda function behind a deployment's custom resource, with a small role of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.stacks.acknowledgements import acknowledge_prefixes


@dataclass(frozen=True)
class Deployer:
    """What one deployer runs; `timeout` is also how long CloudFormation waits for its answer."""

    name: str
    description: str
    handler: str
    code_zip: Path
    timeout: Duration
    memory_mb: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def deployer_function(
    scope: Construct, deployer: Deployer, rights: Iterable[iam.PolicyStatement]
) -> lambda_.Function:
    """With the right to its own log: AWS's managed role may write to every log of the account."""
    log_group = logs.LogGroup(
        scope,
        "Logs",
        log_group_name=f"/aws/lambda/{deployer.name}",
        retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=RemovalPolicy.DESTROY,
    )
    own_log = iam.PolicyStatement(
        actions=["logs:CreateLogStream", "logs:PutLogEvents"],
        resources=[log_group.log_group_arn],
    )
    statements = [*rights, own_log]
    acknowledge_prefixes(scope, statements)
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={"deploy": iam.PolicyDocument(statements=statements)},
    )
    return lambda_.Function(
        scope,
        "Function",
        function_name=deployer.name,
        description=deployer.description,
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler=deployer.handler,
        code=lambda_.Code.from_asset(str(deployer.code_zip)),
        timeout=deployer.timeout,
        memory_size=deployer.memory_mb,
        environment=dict(deployer.environment) or None,
        log_group=log_group,
        role=role,
    )
