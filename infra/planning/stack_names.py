"""A site's two stacks: what the CDK calls them, and what CloudFormation does.

`cdk deploy SITE` takes the deployment and, before it, the cloud stack that it depends on. The
cloud stack has the site's own name in CloudFormation because every stack of older versions had
it: the bucket stays where it is (docs/decisions/0070-two-stacks.md). Site names have no capital
letters, so neither name can be another site's.
"""

from __future__ import annotations


def cloud_id(site: str) -> str:
    """Of the CDK, and of the command line's lists."""
    return f"{site}-Cloud"


def cloud_stack_name(site: str) -> str:
    return site


def deployment_stack_name(site: str) -> str:
    return f"{site}-Deployment"
