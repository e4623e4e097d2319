"""What a function's process finds in its environment (docs/spec/environment.md). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecore.core.arns import ROUTER_ARN, SECRETS_ARN, SHADOW_ARN
from edgecore.core.group import Function, Group

INTERFACE_VERSION = "1.5"
"""GGC_MAX_INTERFACE_VERSION of the last V1 core; the published SDK 1.6.1 asks for 1.5."""

INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
"""From the core's own environment; nothing else, so no secret of the operator's shell leaks."""


@dataclass(frozen=True, kw_only=True)
class CommonEnvironment:
    """What is the same for every function."""

    group: Group
    ipc_port: int
    inherited: Mapping[str, str]
    ipc_unix_name: str = ""
    log_level: str = "INFO"
    extra: Mapping[str, str] = field(default_factory=dict)


def function_environment(
    function: Function, around: CommonEnvironment, *, token: str, resource_prefix: str, home: str
) -> dict[str, str]:
    """The core's variables win over the function's: a function cannot be somebody else."""
    base = f"http://localhost:{around.ipc_port}/2016-11-01"
    environment = {k: v for k, v in around.inherited.items() if k in INHERITED}
    environment.update(around.extra)
    environment.update(function.environment)
    environment.update(
        {
            "MY_FUNCTION_ARN": function.arn,
            "ROUTER_FUNCTION_ARN": ROUTER_ARN,
            "SHADOW_FUNCTION_ARN": SHADOW_ARN,
            "SECRETS_MANAGER_FUNCTION_ARN": SECRETS_ARN,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{base}/credentialprovider/",
            "AWS_REGION": around.group.region,
            "AWS_DEFAULT_REGION": around.group.region,
            "AWS_IOT_THING_NAME": around.group.core.thing_name,
            "ENCODING_TYPE": function.encoding,
            "GGC_MAX_INTERFACE_VERSION": INTERFACE_VERSION,
            "GG_DAEMON_PORT": str(around.ipc_port),
            "AWS_GG_RESOURCE_PREFIX": resource_prefix,
            "LOG_LEVEL": around.log_level,
            "HOME": home,
            "PYTHONUNBUFFERED": "1",
        }
    )
    if around.ipc_unix_name:
        environment["FANFOLD_IPC_SOCKET"] = around.ipc_unix_name
    return environment
