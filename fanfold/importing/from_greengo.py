"""A greengo.yaml (github.com/dzimine/greengo), the definition file of a popular community tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fanfold.importing.imported import Imported, Json

_ACCOUNT = "123456789012"
_LAMBDA = "Lambda::"
_READ = ("Group", "Cores", "Devices", "Lambdas", "Subscriptions", "Resources", "Loggers")
_DATA = ("LocalVolumeResourceData", "LocalDeviceResourceData",
    "S3MachineLearningModelResourceData", "SageMakerMachineLearningModelResourceData",
    "SecretsManagerSecretResourceData")  # fmt: skip


def is_greengo(content: Json) -> bool:
    return isinstance(content.get("Group"), dict) and isinstance(content.get("Cores"), list)


def from_greengo(content: Json, path: Path, region: str) -> Imported:
    """Names become ARNs of a made-up account: greengo creates things and functions itself."""
    lambdas = content.get("Lambdas") or []
    arns = {entry["name"]: _function_arn(entry, region) for entry in lambdas}
    imported = Imported(
        source=str(path),
        document={
            "Name": content["Group"].get("name") or "group",
            "Region": region,
            "Core": _thing(content["Cores"][0], region),
            "Devices": [_thing(each, region) for each in content.get("Devices") or []],
            "Functions": [_function(each, arns[each["name"]]) for each in lambdas],
            "Lambdas": {arns[each["name"]]: _lambda(each) for each in lambdas},
            "Subscriptions": [
                _subscription(number, each, arns, region)
                for number, each in enumerate(content.get("Subscriptions") or [])
            ],
            "Resources": [_resource(each) for each in content.get("Resources") or []],
            "Loggers": content.get("Loggers") or [],
        },
    )
    imported.notes += [f"{key}: is not read of a greengo.yaml; left out" for key in content
        if key not in _READ]  # fmt: skip
    for entry in lambdas:
        if package := entry.get("package"):
            imported.code[arns[entry["name"]]] = path.parent / package
    return imported


def _function_arn(entry: Json, region: str) -> str:
    alias = entry.get("alias") or "default"
    return f"arn:aws:lambda:{region}:{_ACCOUNT}:function:{entry['name']}:{alias}"


def _thing(entry: Json, region: str) -> Json:
    arn = entry.get("ThingArn") or f"arn:aws:iot:{region}:{_ACCOUNT}:thing/{entry['name']}"
    certificate = entry.get("CertificateArn") or ""
    synced = entry.get("SyncShadow", False)
    return {"Id": entry.get("name") or arn.rpartition("/")[2], "ThingArn": arn,
        "CertificateArn": certificate, "SyncShadow": synced}  # fmt: skip


def _function(entry: Json, arn: str) -> Json:
    configuration = entry.get("greengrassConfig") or {}
    return {"Id": entry["name"], "FunctionArn": arn, "FunctionConfiguration": configuration}


def _lambda(entry: Json) -> Json:
    return {
        "FunctionName": entry["name"],
        "Handler": entry.get("handler"),
        "Runtime": entry.get("runtime") or "python2.7",  # greengo's own default
    }


def _subscription(number: int, entry: Json, arns: dict[str, str], region: str) -> Json:
    def end(value: Any) -> str:
        text = str(value)
        if text.startswith(_LAMBDA):
            return arns.get(text[len(_LAMBDA) :], text)
        if text.startswith("Device::"):
            return f"arn:aws:iot:{region}:{_ACCOUNT}:thing/{text[8:]}"
        return text

    return {
        "Id": str(entry.get("Id") or number),
        "Source": end(entry["Source"]),
        "Subject": entry["Subject"],
        "Target": end(entry["Target"]),
    }


def _resource(entry: Json) -> Json:
    container = entry.get("ResourceDataContainer") or {k: entry[k] for k in _DATA if k in entry}
    name = entry.get("Name") or entry["Id"]
    return {"Id": entry["Id"], "Name": name, "ResourceDataContainer": container}
