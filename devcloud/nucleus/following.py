"""A stand-in nucleus deploys what the development cloud has for its thing, and says how it went."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from devcloud.nucleus.nucleus import Failed, Nucleus
from devcloud.nucleus.recipe import RecipeError

Client = Callable[[str], Any]
"""A service's name to its boto3 client."""


def fetch_from(client: Client) -> Callable[[str], bytes]:
    """Artifacts out of S3; what cannot be had fails the deployment, as on a device."""

    def fetch(uri: str) -> bytes:
        from botocore.exceptions import ClientError

        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            return bytes(client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            raise RecipeError(f"artifact {uri} cannot be downloaded ({error})") from error

    return fetch


def follow(client: Client, nucleus: Nucleus, thing: str) -> str:
    """Run what is effective for this thing now; SUCCEEDED, or FAILED with the reason."""
    greengrass = client("greengrassv2")
    effective = greengrass.list_effective_deployments(coreDeviceThingName=thing)
    deployments = [d["deploymentId"] for d in effective["effectiveDeployments"]]
    status, reason = "SUCCEEDED", ""
    try:
        nucleus.deploy([recipe for each in deployments for recipe in _recipes(greengrass, each)])
    except Failed as error:
        status, reason = "FAILED", str(error)
    for each in effective["effectiveDeployments"]:
        _report_health(client, nucleus, thing, each, (status, reason))
    return f"{status} {reason}".strip()


def _recipes(greengrass: Any, deployment_id: str) -> list[dict[str, Any]]:
    """AWS's own components, which no stand-in has, are left out."""
    components = greengrass.get_deployment(deploymentId=deployment_id).get("components") or {}
    candidates = [
        {"componentName": name, "componentVersion": facts["componentVersion"]}
        for name, facts in components.items()
        if not name.startswith("aws.greengrass.")
    ]
    if not candidates:
        return []
    platform = {"attributes": {"os": "linux", "runtime": "*"}}
    resolved = greengrass.resolve_component_candidates(
        componentCandidates=candidates, platform=platform
    )
    return [json.loads(each["recipe"]) for each in resolved["resolvedComponentVersions"]]


def _report_health(
    client: Client,
    nucleus: Nucleus,
    thing: str,
    deployment: dict[str, Any],
    outcome: tuple[str, str],
) -> None:
    """On the health topic, as a nucleus does."""
    components = [
        {"componentName": name, "version": each.component.version, "status": each.state}
        for name, each in nucleus.running.items()
    ]
    report = {
        "ggcVersion": "2.6.0", "platform": "linux", "architecture": "amd64", "thing": thing,
        "runtime": "aws_nucleus_lite", "sequenceNumber": int(time.time()),
        "timestamp": int(time.time() * 1000), "messageType": "COMPLETE",
        "trigger": "THING_GROUP_DEPLOYMENT", "componentStatusDetails": components,
        "deploymentInformation": {
            "status": outcome[0], "fleetConfigurationArnForStatus": deployment["iotJobArn"],
            "statusDetails": {"detailedStatus": outcome[1]}, "unchangedRootComponents": [],
        },
    }  # fmt: skip
    topic = f"$aws/things/{thing}/greengrassv2/health/json"
    client("iot-data").publish(topic=topic, qos=1, payload=json.dumps(report).encode())
