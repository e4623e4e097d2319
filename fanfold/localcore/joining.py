"""How the core is connected to a cloud, as arguments of the core."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fanfold.cloud.development import running_cloud


@dataclass(frozen=True)
class Joining:
    """How this device is joined to AWS IoT; ``file`` None: not at all."""

    file: Path | None
    endpoint: str | None = None
    proxy: str | None = None


def cloud_arguments(joining: Joining, environment: dict[str, str], *, lend: bool) -> list[str]:
    """The core's arguments for its way to the cloud and for the credentials of functions."""
    arguments: list[str] = []
    if joining.file:
        arguments += ["--join", str(joining.file)]
        arguments += ["--iot-endpoint", joining.endpoint] if joining.endpoint else []
        arguments += ["--iot-proxy", joining.proxy] if joining.proxy else []
    elif environment.get("AWS_ENDPOINT_URL"):
        arguments += ["--cloud", "iot"]
    # The development cloud's keys open nothing but itself.
    if lend or (not joining.file and running_cloud() is not None):
        arguments.append("--insecure-static-credentials")
    return arguments
