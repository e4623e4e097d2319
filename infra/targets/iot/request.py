"""What the deployer is asked for: the device's group document, and the job's own settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from infra.planning.bundles import BundleFile
from infra.targets.iot.names import IotNames

FOR_THE_STACK = ("Cloud", "Target", "Account")
SPARE_MINUTES = 10
"""AWS's time-out stands above the device's own, which reports why."""


def group_document(document: Mapping[str, Any]) -> bytes:
    """What the device gets, as JSON; the same bytes for the same group."""
    kept = {key: value for key, value in document.items() if key not in FOR_THE_STACK}
    return (json.dumps(kept, sort_keys=True, separators=(",", ":")) + "\n").encode()


def model_uri(document: Mapping[str, Any]) -> str | None:
    for resource in document["Resources"]:
        data = resource["ResourceDataContainer"].get("S3MachineLearningModelResourceData")
        if data:
            return str(data["S3Uri"])
    return None


def job_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Members of CreateJob beside its id, targets and document; empty ones are left out."""
    target = document["Target"]
    timeout_s = int(target["TimeoutSeconds"])
    found: dict[str, Any] = {
        "timeoutConfig": {"inProgressTimeoutInMinutes": -(-timeout_s // 60) + SPARE_MINUTES}
    }
    if rollout := _rollout(target):
        found["jobExecutionsRolloutConfig"] = rollout
    if abort := target.get("Abort"):
        rule = {
            "failureType": "ALL",
            "action": "CANCEL",
            "thresholdPercentage": round(float(abort["failed_percent"]), 2),
            "minNumberOfExecutedThings": int(abort["after"]),
        }
        found["abortConfig"] = {"criteriaList": [rule]}
    if retries := int(target.get("Retries", 0)):
        criteria = {"failureType": "ALL", "numberOfRetries": retries}
        found["jobExecutionsRetryConfig"] = {"criteriaList": [criteria]}
    return found


def _rollout(target: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if per_minute := target.get("PerMinute"):
        found["maximumPerMinute"] = per_minute
    if growth := target.get("Growth"):
        found["exponentialRate"] = {
            "baseRatePerMinute": growth["base_per_minute"],
            "incrementFactor": growth["factor"],
            "rateIncreaseCriteria": {"numberOfSucceededThings": growth["every_succeeded"]},
        }
        found.setdefault("maximumPerMinute", 1000)
    return found


def bundle_of(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Where the core's bundle lies, and its version; None: devices keep the core they have."""
    source = document["Target"].get("Bundle")
    made = BundleFile.of(source) if source else None
    return (source, made.version) if made else None


def request(document: Mapping[str, Any]) -> dict[str, Any]:
    """All that does not depend on where the artifacts lie."""
    names = IotNames.of(document)
    bundle = bundle_of(document)
    return {
        **({"CoreVersion": bundle[1]} if bundle else {}),
        "Site": names.site,
        "Target": names.target(document),
        "Bucket": names.bucket,
        "JobPrefix": names.job_prefix,
        "TimeoutSeconds": str(document["Target"]["TimeoutSeconds"]),
        "PerThing": "true" if document["Target"].get("Group") else "false",
        "Settings": json.dumps(job_settings(document), sort_keys=True),
        "Arns": sorted(document["Lambdas"]),
        "Model": model_uri(document) or "",
    }
