"""AWS IoT Greengrass V2 in the development cloud: component versions, deployments, their API.

moto has none of it. `AWS::GreengrassV2::ComponentVersion` and `Deployment` deploy with the real
`cdk deploy`; a deployment becomes an AWS IoT job that a device finds; devices say how it went.
"""

from devcloud.greengrass_v2.api import install

__all__ = ["install"]
