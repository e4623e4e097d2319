"""What the validators say of a site's stack and why it stays so, each with its reason."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
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
        "such functions until 2027-02-01, and these never run in the cloud.",
    ),
    Acknowledgment(
        id="AwsSolutions::AwsSolutions-L1",
        reason="A Greengrass V1 core runs nothing newer than python3.8.",
    ),
)
ONE_PREFIX = Acknowledgment(
    id="AwsSolutions::AwsSolutions-IAM5",
    reason="The wildcard stands behind one prefix or one group: keys of results, streams of one "
    "log group and deployment ids are not known before.",
)


def acknowledge(scope: Construct, *acknowledgements: Acknowledgment) -> None:
    Validations.of(scope).acknowledge(*acknowledgements)
