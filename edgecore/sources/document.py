"""The group document ⇄ the core's nouns. Pure: nothing is fetched here.

Shapes are the Greengrass V1 API's (``CreateFunctionDefinitionVersion`` and friends), plus
what the core learns elsewhere: ``Lambdas`` (GetFunction), ``Models`` and ``Certificates``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from edgecore.core.group import (
    Function,
    Group,
    Isolation,
    LocalDevice,
    LocalVolume,
    Logger,
    MachineLearningModel,
    Resource,
    ResourceAccess,
    SecretResource,
    Subscription,
    Thing,
)
from edgecore.sources.errors import SourceError

Json = dict[str, Any]

SYSTEM_PREFIX = "arn:aws:lambda:::function:"
SECRET_KIND = "SecretsManagerSecretResourceData"  # noqa: S105 - a name of the API
_MODEL_KEYS = ("S3MachineLearningModelResourceData", "SageMakerMachineLearningModelResourceData")


def digest(document: Mapping[str, Any]) -> str:
    """Content hash of a document: equal groups have equal hashes."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def thing_name(arn: str) -> str:
    return arn.rpartition(":thing/")[2]


def to_group(document: Mapping[str, Any], *, base: Path) -> Group:
    """Build the nouns; relative ``Code`` and model paths are below ``base``.

    Raises ``SourceError`` naming the entry that is missing or malformed.
    """
    core = document.get("Core")
    if not isinstance(core, Mapping):
        raise SourceError("group: has no Core; a deployable group has exactly one")
    certificates = document.get("Certificates") or {}
    group = Group(
        name=str(document.get("Name") or "group"),
        id=str(document.get("Id") or document.get("Name") or "group"),
        version=str(document.get("Version") or digest(document)[:16]),
        region=str(document.get("Region") or "us-east-1"),
        core=_thing(core, certificates),
        devices=tuple(_thing(device, certificates) for device in entries_of(document, "Devices")),
        functions=tuple(
            _function(entry, document, base) for entry in entries_of(document, "Functions")
        ),
        subscriptions=tuple(
            _subscription(entry) for entry in entries_of(document, "Subscriptions")
        ),
        resources=tuple(
            resource
            for entry in entries_of(document, "Resources")
            if (resource := _resource(entry, document, base)) is not None
        ),
        secrets=tuple(
            _secret(entry)
            for entry in entries_of(document, "Resources")
            if resource_kind(entry) == SECRET_KIND
        ),
        loggers=tuple(_logger(entry) for entry in entries_of(document, "Loggers")),
    )
    _refuse_twice("function", (f.id for f in group.functions))
    _refuse_twice("function ARN", (f.arn for f in group.functions))
    _refuse_twice("thing", (t.thing_arn for t in (group.core, *group.devices)))
    return group


def entries_of(parent: Mapping[str, Any], key: str) -> list[Json]:
    value = parent.get(key) or []
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise SourceError(f"group: {key} must be a list of objects")
    return cast(list[Json], value)


def _text(entry: Mapping[str, Any], key: str, what: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise SourceError(f"{what} {entry.get('Id', '?')!r}: {key} is missing or not text")
    return value


def _integer(value: object, what: str, default: int | None) -> int | None:
    if value is None:
        return default
    try:
        return int(cast(int, value))
    except (TypeError, ValueError) as error:
        raise SourceError(f"{what}: {value!r} is not a whole number") from error


def boolean(value: object) -> bool:
    """CloudFormation templates in the wild carry booleans as text."""
    return value.strip().lower() == "true" if isinstance(value, str) else bool(value)


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SourceError(f"group: {what} {name!r} appears twice; give each its own")
        seen.add(name)


def _thing(entry: Mapping[str, Any], certificates: Mapping[str, str]) -> Thing:
    arn = _text(entry, "ThingArn", "thing")
    return Thing(
        id=str(entry.get("Id") or thing_name(arn)),
        thing_name=str(entry.get("ThingName") or thing_name(arn)),
        thing_arn=arn,
        certificate_arn=str(entry.get("CertificateArn") or ""),
        sync_shadow=boolean(entry.get("SyncShadow")),
        certificate_pem=certificates.get(arn),
    )


def _function(entry: Mapping[str, Any], document: Mapping[str, Any], base: Path) -> Function:
    arn = _text(entry, "FunctionArn", "function")
    configuration = entry.get("FunctionConfiguration") or {}
    environment = configuration.get("Environment") or {}
    execution = execution_of(environment, document)
    run_as = execution.get("RunAs") or {}
    what = f"function {entry.get('Id') or arn!r}"
    return Function(
        id=str(entry.get("Id") or arn.split(":function:")[-1]),
        arn=arn,
        pinned=boolean(configuration.get("Pinned")),
        memory_kb=_integer(configuration.get("MemorySize"), f"{what} MemorySize", None),
        timeout_s=_integer(configuration.get("Timeout"), f"{what} Timeout", 3) or 3,
        encoding="binary" if configuration.get("EncodingType") == "binary" else "json",
        environment={str(k): str(v) for k, v in (environment.get("Variables") or {}).items()},
        access_sysfs=boolean(environment.get("AccessSysfs")),
        isolation=_isolation(execution, what),
        run_as_uid=_integer(run_as.get("Uid"), f"{what} RunAs.Uid", None),
        run_as_gid=_integer(run_as.get("Gid"), f"{what} RunAs.Gid", None),
        access=tuple(
            ResourceAccess(
                resource_id=_text(policy, "ResourceId", what),
                permission=policy.get("Permission"),
            )
            for policy in entries_of(environment, "ResourceAccessPolicies")
        ),
        executable=configuration.get("Executable"),
        exec_args=configuration.get("ExecArgs"),
        **_lambda_fields(arn, configuration, document, base),
    )


def execution_of(environment: Mapping[str, Any], document: Mapping[str, Any]) -> Json:
    default = (document.get("DefaultConfig") or {}).get("Execution") or {}
    return {**default, **(environment.get("Execution") or {})}


def _isolation(execution: Mapping[str, Any], what: str) -> Isolation:
    mode = execution.get("IsolationMode") or "GreengrassContainer"
    if mode not in ("GreengrassContainer", "NoContainer"):
        raise SourceError(
            f"{what}: IsolationMode {mode!r} is neither GreengrassContainer nor NoContainer"
        )
    return cast(Isolation, mode)


def _lambda_fields(
    arn: str, configuration: Mapping[str, Any], document: Mapping[str, Any], base: Path
) -> Json:
    if arn.startswith(SYSTEM_PREFIX):
        return {}
    entry = (document.get("Lambdas") or {}).get(arn)
    if entry is None:
        raise SourceError(f"function {arn}: the group names it, but its code was not found")
    code = entry.get("Code")
    return {
        # The API-only override (2022-10-17) is for devices whose runtime differs.
        "runtime": configuration.get("FunctionRuntimeOverride") or entry.get("Runtime"),
        "handler": entry.get("Handler"),
        "code": base / code if code else None,
        "code_sha256": entry.get("CodeSha256"),
        "lacks": entry.get("CodeProblem") or _model_problem(configuration, document),
    }


def models_of(configuration: Mapping[str, Any], document: Mapping[str, Any]) -> list[Json]:
    """What is known of the models that a function is given."""
    models = document.get("Models") or {}
    return [models[name] for name in resource_ids(configuration) if name in models]


def resource_ids(configuration: Mapping[str, Any]) -> list[str]:
    """Of what a function is given."""
    policies = entries_of(configuration.get("Environment") or {}, "ResourceAccessPolicies")
    return [str(policy.get("ResourceId")) for policy in policies]


def _model_problem(configuration: Mapping[str, Any], document: Mapping[str, Any]) -> str | None:
    return next((m["Problem"] for m in models_of(configuration, document) if "Problem" in m), None)


def _secret(entry: Mapping[str, Any]) -> SecretResource:
    identity = _text(entry, "Id", "resource")
    data = entry["ResourceDataContainer"][SECRET_KIND]
    return SecretResource(
        id=identity,
        name=str(entry.get("Name") or identity),
        arn=_text(data, "ARN", f"secret {identity!r}"),
        stages=tuple(str(s) for s in data.get("AdditionalStagingLabelsToDownload") or ()),
    )


def _subscription(entry: Mapping[str, Any]) -> Subscription:
    return Subscription(
        id=str(entry.get("Id") or "?"),
        source=_text(entry, "Source", "subscription"),
        subject=_text(entry, "Subject", "subscription"),
        target=_text(entry, "Target", "subscription"),
    )


def _logger(entry: Mapping[str, Any]) -> Logger:
    return Logger(
        id=str(entry.get("Id") or entry.get("Component") or "?"),
        component=entry.get("Component") or "GreengrassSystem",
        type=entry.get("Type") or "FileSystem",
        level=str(entry.get("Level") or "INFO"),
        space_kb=_integer(entry.get("Space"), "logger Space", None),
    )


def resource_kind(entry: Mapping[str, Any]) -> str:
    container = entry.get("ResourceDataContainer") or {}
    return next((key for key, value in container.items() if value), "unknown")


def model_data(entry: Mapping[str, Any]) -> Json | None:
    """The data of a machine-learning resource, None for every other kind."""
    kind = resource_kind(entry)
    return entry["ResourceDataContainer"][kind] if kind in _MODEL_KEYS else None


def _group_owner(data: Mapping[str, Any]) -> Json:
    setting = data.get("GroupOwnerSetting") or {}
    named = setting.get("GroupOwner")
    return {
        "owner_group": boolean(setting.get("AutoAddGroupOwner")),
        "group_owner": None if named is None else str(named),
    }


def _resource(entry: Mapping[str, Any], document: Mapping[str, Any], base: Path) -> Resource | None:
    identity = _text(entry, "Id", "resource")
    name = str(entry.get("Name") or identity)
    kind = resource_kind(entry)
    data = (entry.get("ResourceDataContainer") or {}).get(kind) or {}
    if kind == "LocalVolumeResourceData":
        return LocalVolume(
            id=identity,
            name=name,
            source_path=_text(data, "SourcePath", f"volume {identity!r}"),
            destination_path=_text(data, "DestinationPath", f"volume {identity!r}"),
            **_group_owner(data),
        )
    if kind == "LocalDeviceResourceData":
        source_path = _text(data, "SourcePath", f"device {identity!r}")
        return LocalDevice(id=identity, name=name, source_path=source_path, **_group_owner(data))
    if kind in _MODEL_KEYS:
        fetched = (document.get("Models") or {}).get(identity) or {}
        owner = data.get("OwnerSetting") or {}
        return MachineLearningModel(
            id=identity,
            name=name,
            s3_uri=str(data.get("S3Uri") or fetched.get("S3Uri") or ""),
            destination_path=_text(data, "DestinationPath", f"model {identity!r}"),
            owner_gid=owner.get("GroupOwner"),
            path=base / fetched["Path"] if fetched.get("Path") else None,
        )
    return None
