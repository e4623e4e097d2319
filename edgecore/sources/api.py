"""Read a group's latest deployment with the real Greengrass V1 API (boto3).

AWS closed it on 2026-10-07; a development cloud or a private endpoint still answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgecore.sources.cloud import Cloud, explained
from edgecore.sources.document import SYSTEM_PREFIX, Json, thing_name
from edgecore.sources.errors import MISSING, SourceError

_RUNS_A_GROUP = ("NewDeployment", "Redeployment")
_DEFINITIONS = (
    ("CoreDefinitionVersionArn", "core", "Cores"),
    ("DeviceDefinitionVersionArn", "device", "Devices"),
    ("FunctionDefinitionVersionArn", "function", "Functions"),
    ("ResourceDefinitionVersionArn", "resource", "Resources"),
    ("SubscriptionDefinitionVersionArn", "subscription", "Subscriptions"),
    ("LoggerDefinitionVersionArn", "logger", "Loggers"),
)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    id: str
    group_id: str
    group_name: str
    version: str


def latest_deployment(cloud: Cloud, group: str) -> Deployment:
    """The newest deployment of the group with this id or name."""
    with explained(f"group {group!r}"):
        greengrass = cloud.client("greengrass")
        found = _find_group(greengrass, group)
        deployments = _pages(greengrass.list_deployments, "Deployments", GroupId=found["Id"])
    # The API lists without a promised order; creation times are ISO 8601 and sort as text.
    newest = max(deployments, key=lambda d: d.get("CreatedAt") or "", default=None)
    if newest is None or newest.get("DeploymentType", _RUNS_A_GROUP[0]) not in _RUNS_A_GROUP:
        raise SourceError(
            f"group {group!r}: has no deployment; create one (cdk deploy does)", exit_code=MISSING
        )
    return Deployment(
        id=newest["DeploymentId"],
        group_id=found["Id"],
        group_name=found.get("Name") or group,
        version=newest["GroupArn"].rpartition("/versions/")[2],
    )


def read(cloud: Cloud, group: str) -> Json:
    """The group document of the latest deployment; nothing is downloaded yet."""
    deployment = latest_deployment(cloud, group)
    document: Json = {
        "Name": deployment.group_name,
        "Id": deployment.group_id,
        "Version": deployment.version,
        "DeploymentId": deployment.id,
        "Region": cloud.effective_region,
    }
    with explained(f"group {group!r} version {deployment.version}"):
        greengrass = cloud.client("greengrass")
        version = greengrass.get_group_version(
            GroupId=deployment.group_id, GroupVersionId=deployment.version
        )
        for key, kind, field in _DEFINITIONS:
            if arn := version["Definition"].get(key):
                document.update(_definition(greengrass, kind, arn, field))
    cores = document.pop("Cores", [])
    if len(cores) != 1:
        raise SourceError(f"group {group!r}: has {len(cores)} cores; exactly one is deployable")
    document["Core"] = cores[0]
    document["Certificates"] = certificates(cloud, [cores[0], *document.get("Devices", [])])
    document["Lambdas"] = lambdas(cloud, document.get("Functions", []))
    return document


def lambdas(cloud: Cloud, functions: list[Json]) -> Json:
    """What AWS Lambda says of each user function; aliases resolve to a version here."""
    found: Json = {}
    for entry in functions:
        arn = entry["FunctionArn"]
        if arn.startswith(SYSTEM_PREFIX):
            continue
        with explained(f"function {arn}"):
            answer = cloud.client("lambda").get_function(FunctionName=arn)
        configuration = answer["Configuration"]
        found[arn] = {
            "FunctionName": configuration["FunctionName"],
            "Handler": configuration.get("Handler"),
            "Runtime": configuration.get("Runtime"),
            "CodeSha256": configuration.get("CodeSha256"),
            "CodeLocation": (answer.get("Code") or {}).get("Location"),
        }
    return found


def certificates(cloud: Cloud, things: list[Json]) -> Json:
    """PEM by thing ARN. A thing whose certificate is gone simply cannot connect."""
    found: Json = {}
    for thing in things:
        certificate_id = str(thing.get("CertificateArn") or "").rpartition("/")[2]
        if not certificate_id:
            continue
        try:
            with explained(f"certificate of {thing_name(thing['ThingArn'])!r}"):
                answer = cloud.client("iot").describe_certificate(certificateId=certificate_id)
        except SourceError:
            continue
        description = answer["certificateDescription"]
        if description.get("status", "ACTIVE") == "ACTIVE":
            found[thing["ThingArn"]] = description["certificatePem"]
    return found


def _find_group(greengrass: Any, group: str) -> Json:
    groups: list[Json] = _pages(greengrass.list_groups, "Groups")
    by_id = [entry for entry in groups if entry["Id"] == group]
    matches = by_id or [entry for entry in groups if entry.get("Name") == group]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(sorted(entry["Id"] for entry in matches))
        raise SourceError(
            f"group {group!r}: {len(matches)} groups have this name; use an id: {ids}"
        )
    known = ", ".join(sorted(str(entry.get("Name")) for entry in groups)[:8]) or "none"
    raise SourceError(f"group {group!r}: not found; groups there: {known}", exit_code=MISSING)


def _pages(call: Any, key: str, **arguments: str) -> list[Json]:
    rows: list[Json] = []
    token: str | None = None
    while True:
        page = call(**arguments, **({"NextToken": token} if token else {}))
        rows += page.get(key, [])
        token = page.get("NextToken")
        if not token:
            return rows


def _definition(greengrass: Any, kind: str, arn: str, field: str) -> Json:
    # arn:aws:greengrass:REGION:ACCOUNT:/greengrass/definition/KINDs/ID/versions/VERSION
    parts = arn.split("/")
    title = f"{kind.capitalize()}DefinitionId"
    call = getattr(greengrass, f"get_{kind}_definition_version")
    answer = call(**{title: parts[-3], f"{kind.capitalize()}DefinitionVersionId": parts[-1]})
    definition = answer["Definition"]
    found: Json = {field: definition.get(field, [])}
    if kind == "function" and definition.get("DefaultConfig"):
        found["DefaultConfig"] = definition["DefaultConfig"]
    return found
