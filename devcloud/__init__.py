"""A cloud on this machine for the real `cdk deploy`: moto's server with the Greengrass types.

    cloud = devcloud.start(port=0, state_dir=Path("state"))
    devcloud.bootstrap(cloud)
    devcloud.cdk(["deploy", "demo", "--require-approval", "never"], env=cloud.env())

State is kept in memory: it ends with the process.
"""

from devcloud.auth.keys import ACCOUNT
from devcloud.cdk_cli import bootstrap, cdk
from devcloud.process import (
    DEFAULT_PORT,
    DEFAULT_STATE,
    REGION,
    DevCloud,
    DevCloudError,
    find,
    start,
)

__all__ = [
    "ACCOUNT",
    "DEFAULT_PORT",
    "DEFAULT_STATE",
    "REGION",
    "DevCloud",
    "DevCloudError",
    "bootstrap",
    "cdk",
    "find",
    "start",
]
