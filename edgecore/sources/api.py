"""Read a group's latest deployment with the real Greengrass V1 API (boto3).

AWS closed it on 2026-10-07; a development cloud or a private endpoint still answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgecore.sources.aws_clients import AwsClients, explained
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
    ("ConnectorDefinitionVersionArn", "connector", "Connectors"),
)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    id: str
    group_id: str
    group_name: str
    version: str


def latest_deployment(cloud: AwsClients, group: str) -> Deployment:
    """The newest deployment of the group with this id or name that has not failed.

    Where all have failed, the newest: it is what is wanted.
    """
    with explained(f"group {group!r}"):
        greengrass = cloud.client("greengrass")
        found = find_group(greengrass, group)
        made = deployments_of(greengrass, found["Id"])
        if not made:
            raise SourceError(
                f"group {group!r}: has no deployment; create one (cdk deploy does)",
                exit_code=MISSING,
            )
        newest = next((d for d in made if not _has_failed(greengrass, found["Id"], d)), made[0])
    return Deployment(
        id=newest["DeploymentId"],
        group_id=found["Id"],
        group_name=found.get("Name") or group,
        version=newest["GroupArn"].rpartition("/versions/")[2],
    )


def deployments_of(greengrass: Any, group_id: str) -> list[Json]:
    """Deployments of a group, newest first, back to its last reset."""
    made = _pages(greengrass.list_deployments, "Deployments", GroupId=group_id)
    # The API lists without a promised order; creation times are ISO 8601 and sort as text.
    made.sort(key=lambda d: d.get("CreatedAt") or "", reverse=True)
    since_reset: list[Json] = []
    for each in made:
        if each.get("DeploymentType", _RUNS_A_GROUP[0]) not in _RUNS_A_GROUP:
            break
        since_reset.append(each)
    return since_reset


def _has_failed(greengrass: Any, group_id: str, deployment: Json) -> bool:
    answer = greengrass.get_deployment_status(
        GroupId=group_id, DeploymentId=deployment["DeploymentId"]
    )
    return bool(answer.get("DeploymentStatus") == "Failure")


def read(cloud: AwsClients, group: str) -> Json:
    """The group document of the latest deployment; nothing is downloaded yet."""
    return document_of(cloud, latest_deployment(cloud, group))


def document_of(cloud: AwsClients, deployment: Deployment) -> Json:
    """The group document of one deployment. Aliases resolve to what they name now."""
    group = deployment.group_name
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


def lambdas(cloud: AwsClients, functions: list[Json]) -> Json:
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


def certificates(cloud: AwsClients, things: list[Json]) -> Json:
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


def find_group(greengrass: Any, group: str) -> Json:
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
    raise SourceError(
        f"group {group!r}: not found; groups there: {known}. Deploy it (fanfold deploy), or name "
        "one that is there",
        exit_code=MISSING,
    )


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
