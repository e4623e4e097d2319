"""The AWS Lambda function behind a deployment's custom resource, with a small role of its own.

Written as the resource that it is: to import `aws_cdk.aws_lambda`, and all of EC2 with it, takes
as long as the rest of a synthesis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aws_cdk import CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from infra.stacks.acknowledgements import acknowledge_prefixes

RUNTIME = "python3.14"


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
) -> str:
    """Its ARN. It writes to its own log: AWS's managed role may write to every log there is."""
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
    own = Construct(scope, "Function")
    code = s3_assets.Asset(own, "Code", path=str(deployer.code_zip))
    variables = {"Environment": {"Variables": dict(deployer.environment)}}
    properties = {
        "FunctionName": deployer.name,
        "Description": deployer.description,
        "Runtime": RUNTIME,
        "Handler": deployer.handler,
        "Code": {"S3Bucket": code.s3_bucket_name, "S3Key": code.s3_object_key},
        "Timeout": deployer.timeout.to_seconds(),
        "LoggingConfig": {"LogGroup": log_group.log_group_name},
        "Role": role.role_arn,
        **({"MemorySize": deployer.memory_mb} if deployer.memory_mb else {}),
        **(variables if deployer.environment else {}),
    }
    function = CfnResource(own, "Resource", type="AWS::Lambda::Function", properties=properties)
    function.node.add_dependency(role)
    code.add_resource_metadata(function, "Code")
    return function.get_att("Arn").to_string()
