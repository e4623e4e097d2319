"""The N functions of a group: one asset, one version and the alias `live` each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

_GREATEST_CLOUD_TIMEOUT_S = 900


class Functions(Construct):
    """What Greengrass fetches from AWS Lambda; none of them ever runs in the cloud.

    Greengrass refuses `$LATEST`, hence a version; the group names the alias, so the ARN
    stays the same when the code changes. Versions are retained: an older deployment can
    be deployed again only while its versions exist.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        document: Mapping[str, Any],
        code_zip: Path,
        runtime: str | None = None,
    ) -> None:
        """`runtime` None: as the document says."""
        super().__init__(scope, construct_id)
        self._runtime = runtime
        # No log groups for functions that log on the device.
        self.node.set_context("@aws-cdk/aws-lambda:useCdkManagedLogGroup", False)
        self._code = lambda_.Code.from_asset(str(code_zip))
        # Lambda wants a role; on the device the group's role counts and this one is ignored.
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        configurations = {
            entry["FunctionArn"]: entry["FunctionConfiguration"] for entry in document["Functions"]
        }
        self.aliases = [
            self._alias(arn, described, configurations.get(arn, {}))
            for arn, described in sorted(document["Lambdas"].items())
        ]

    def _alias(
        self, arn: str, described: Mapping[str, str], configuration: Mapping[str, Any]
    ) -> lambda_.Alias:
        name, alias = described["FunctionName"], arn.rsplit(":", 1)[1]
        function = lambda_.Function(
            self,
            name,
            function_name=name,
            description=f"Runs on the Greengrass core of its group: {described['Handler']}",
            handler=described["Handler"],
            runtime=lambda_.Runtime(
                self._runtime or described["Runtime"], lambda_.RuntimeFamily.PYTHON
            ),
            code=self._code,
            role=self._role,
            timeout=Duration.seconds(
                min(configuration.get("Timeout", 3), _GREATEST_CLOUD_TIMEOUT_S)
            ),
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
        )
        return lambda_.Alias(function, "Live", alias_name=alias, version=function.current_version)
