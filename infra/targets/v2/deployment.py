"""The deployment of a site: as CloudFormation's properties, and as the device is sent it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from infra.targets.iot.request import job_settings
from infra.targets.v2.names import V2Names
from infra.targets.v2.recipes import Rendered

VALIDATION_S = 60
_TERMS = ("timeoutConfig", "jobExecutionsRolloutConfig", "abortConfig")
"""Those of a job that a deployment takes (CreateDeployment, iotJobConfiguration)."""
_UUID = "00000000-0000-0000-0000-000000000000"


def properties(document: Mapping[str, Any], own: Sequence[Rendered]) -> dict[str, Any]:
    """Of `AWS::GreengrassV2::Deployment`."""
    names = V2Names.of(document)
    settings = document["Target"]["Components"]
    run_with = {"RunWith": {"PosixUser": settings["user"]}} if settings["user"] else {}
    components: dict[str, Any] = {
        each.name: {"ComponentVersion": each.version, **run_with} for each in own
    }
    for name, beside in sorted(settings["beside"].items()):
        update: dict[str, Any] = {}
        if beside["merge"]:
            update["Merge"] = json.dumps(beside["merge"], sort_keys=True, separators=(",", ":"))
        if beside["reset"]:
            update["Reset"] = list(beside["reset"])
        components[name] = {"ComponentVersion": beside["version"]}
        if update:
            components[name]["ConfigurationUpdate"] = update
    return {
        "TargetArn": names.target(document),
        "DeploymentName": f"fanfold {names.site}",
        "Components": components,
        "DeploymentPolicies": {
            "FailureHandlingPolicy": "ROLLBACK",
            "ComponentUpdatePolicy": {
                "Action": "SKIP_NOTIFY_COMPONENTS", "TimeoutInSeconds": VALIDATION_S,
            },
            "ConfigurationValidationPolicy": {"TimeoutInSeconds": VALIDATION_S},
        },
        "IotJobConfiguration": _capitals(job_terms(document)),
    }  # fmt: skip


def job_terms(document: Mapping[str, Any]) -> dict[str, Any]:
    """The job's terms as the API spells them; a thing alone has no rollout and no abort."""
    given = job_settings(document)
    return {name: given[name] for name in _TERMS if name in given}


def _capitals(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {f"{name[0].upper()}{name[1:]}": _capitals(each) for name, each in value.items()}
    return [_capitals(each) for each in value] if isinstance(value, list) else value


def as_sent(given: Mapping[str, Any], site_arn: str) -> dict[str, Any]:
    """The document of the deployment's job, for its size: the fields that a nucleus reads."""
    components = {}
    for name, component in given["Components"].items():
        update = component.get("ConfigurationUpdate") or {}
        components[name] = {
            "version": component["ComponentVersion"],
            "runWith": {"posixUser": (component.get("RunWith") or {}).get("PosixUser", "")},
            "configurationUpdate": {key.lower(): value for key, value in update.items()},
        }
    policies = given["DeploymentPolicies"]
    return {
        "configurationArn": f"arn:aws:greengrass:{site_arn.split(':')[3]}:"
        f"{site_arn.split(':')[4]}:configuration:{site_arn.rpartition(':')[2]}:1",
        "deploymentId": _UUID,
        "deploymentName": given["DeploymentName"],
        "deploymentPolicies": {
            "failureHandlingPolicy": policies["FailureHandlingPolicy"],
            "componentUpdatePolicy": {"action": "SKIP_NOTIFY_COMPONENTS", "timeout": VALIDATION_S},
            "configurationValidationPolicy": {"timeout": VALIDATION_S},
        },
        "creationTimestamp": 1_700_000_000_000,
        "components": components,
    }  # fmt: skip
