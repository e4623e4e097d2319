"""The ``group.json`` that AWS's core keeps on a device, with the code beside it.

``/greengrass/ggc/deployment/group/group.json``; code lies unpacked in
``../lambda/<function ARN>/``. Whoever owned a V1 device can start from there.
Model artifacts are kept under ids that the file does not name, so their S3 URI is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgecore.sources.document import SYSTEM_PREFIX, Json, thing_name
from edgecore.sources.errors import SourceError

_CONFIGURATION_KEYS = (
    "Pinned",
    "MemorySize",
    "Timeout",
    "EncodingType",
    "Executable",
    "ExecArgs",
    "Environment",
)
_READ = ("Lambdas", "Resources", "Subscriptions", "Connectors", "Logging")
_FINGERPRINTS = "ClientCertFingerprints"
"""Of the devices' certificates, which their `certArn` names too."""


def read(content: Mapping[str, Any], path: Path) -> Json:
    """Translate the on-device file into a group document."""
    cores = content.get("Cores") or []
    if len(cores) != 1:
        raise SourceError(f"{path}: has {len(cores)} cores; exactly one is deployable")
    definitions = content["GroupDefinitions"]
    group_arn = str(content.get("Arn") or "")
    lambdas = _content(definitions, "Lambdas")
    return {
        "Name": thing_name(cores[0]["thingArn"]),
        "Id": group_arn.partition("/groups/")[2].partition("/")[0] or "group",
        "Version": group_arn.rpartition("/versions/")[2] or None,
        "Region": content.get("Region"),
        "Core": _thing(cores[0]),
        "Devices": [_thing(device) for device in content.get("Devices") or []],
        "DefaultConfig": (definitions.get("Lambdas") or {}).get("DefaultConfig") or {},
        "Functions": [_function(entry) for entry in lambdas],
        "Lambdas": {
            entry["FunctionArn"]: _lambda(entry, path.parent.parent / "lambda")
            for entry in lambdas
            if not entry["FunctionArn"].startswith(SYSTEM_PREFIX)
        },
        "Resources": [_resource(entry) for entry in _content(definitions, "Resources")],
        "Subscriptions": _numbered(_content(definitions, "Subscriptions")),
        "Connectors": _content(definitions, "Connectors"),
        "Loggers": _numbered(_content(definitions, "Logging")),
        "LeftOut": list(_left_out(definitions)),
    }


def _left_out(definitions: Mapping[str, Any]) -> Iterator[str]:
    for name, definition in definitions.items():
        if not isinstance(definition, dict):
            continue
        if definition.get("ref") and not definition.get("Content"):
            yield f"group.json: {name} are kept elsewhere ({definition['ref']}); left out"
        elif name not in (*_READ, _FINGERPRINTS) and (content := definition.get("Content")):
            yield f"group.json: {name} with {len(content)} entries is not read; left out"


def _content(definitions: Mapping[str, Any], key: str) -> list[Json]:
    return list((definitions.get(key) or {}).get("Content") or [])


def _numbered(entries: list[Json]) -> list[Json]:
    return [{"Id": str(number), **entry} for number, entry in enumerate(entries)]


def _thing(entry: Mapping[str, Any]) -> Json:
    arn = entry["thingArn"]
    return {"Id": thing_name(arn), "ThingArn": arn, "CertificateArn": entry.get("certArn")}


def _function(entry: Mapping[str, Any]) -> Json:
    deployed = entry.get("DeploymentConfiguration") or {}
    configuration = {key: deployed[key] for key in _CONFIGURATION_KEYS if key in deployed}
    identity = entry["FunctionArn"].split(":function:")[-1]
    return {
        "Id": identity,
        "FunctionArn": entry["FunctionArn"],
        "FunctionConfiguration": configuration,
    }


def _lambda(entry: Mapping[str, Any], folder: Path) -> Json:
    deployed = entry.get("DeploymentConfiguration") or {}
    return {
        "FunctionName": entry["FunctionArn"].split(":function:")[-1].partition(":")[0],
        "Handler": deployed.get("Handler"),
        "Runtime": deployed.get("Runtime"),
        # The hash is of the zip, which is no longer there: the folder gets its own.
        "Code": str(_code(folder, entry["FunctionArn"]).absolute()),
    }


def _code(folder: Path, arn: str) -> Path:
    """Some editions of AWS's core wrote dots for the colons."""
    dotted = folder / arn.replace(":", ".")
    return dotted if dotted.is_dir() else folder / arn


def _resource(entry: Mapping[str, Any]) -> Json:
    data = dict(entry.get("Data") or {})
    kind = data.pop("type", "unknown")
    return {
        "Id": entry["Id"],
        "Name": entry.get("Name") or entry["Id"],
        "ResourceDataContainer": {kind: data},
    }
