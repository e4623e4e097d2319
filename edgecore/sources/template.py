"""A synthesized template, alone or in a CDK cloud assembly, as a group document.

Nothing is deployed: versions and aliases resolve to the code that the template itself
carries, as an asset beside it. So a group runs from ``cdk synth`` with no cloud at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecore.sources.document import SYSTEM_PREFIX, Json, thing_name
from edgecore.sources.errors import MISSING, SourceError
from edgecore.sources.intrinsics import Resolver

_GREENGRASS = "AWS::Greengrass::"
_DEFAULT_ACCOUNT = "123456789012"
_DEFAULT_REGION = "us-east-1"
_DEFINITIONS = (
    ("Core", "Cores"),
    ("Device", "Devices"),
    ("Function", "Functions"),
    ("Resource", "Resources"),
    ("Subscription", "Subscriptions"),
    ("Logger", "Loggers"),
    ("Connector", "Connectors"),
)
_ENVIRONMENT = re.compile(r"^aws://([^/]+)/([^/]+)$")


def read_assembly(folder: Path, stack: str | None) -> Json:
    """The one stack with a Greengrass group in ``folder``, or the one named ``stack``."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{folder}: not a cloud assembly (manifest.json: {error}); run `cdk synth` first",
            exit_code=MISSING,
        ) from error
    found: dict[str, tuple[Json, Path, str]] = {}
    for name, artifact in (manifest.get("artifacts") or {}).items():
        if artifact.get("type") != "aws:cloudformation:stack" or stack not in (None, name):
            continue
        path = folder / artifact["properties"]["templateFile"]
        content = json.loads(path.read_text(encoding="utf-8"))
        if _of_type(content, "Group"):
            found[name] = (content, path, artifact.get("environment", ""))
    if len(found) == 1:
        content, path, environment = next(iter(found.values()))
        return read_template(content, path, environment=environment)
    what = f"stacks with a group: {', '.join(sorted(found))}" if found else "no stack with a group"
    hint = f"; choose one as {folder}#{min(found)}" if found else ""
    raise SourceError(f"{folder}{f'#{stack}' if stack else ''}: {what}{hint}")


def read_template(content: Mapping[str, Any], path: Path, *, environment: str = "") -> Json:
    """The group that a template describes; ``path`` is where its assets lie beside."""
    match = _ENVIRONMENT.match(environment)
    account, region = match.groups() if match else (_DEFAULT_ACCOUNT, _DEFAULT_REGION)
    resolver = Resolver(
        content,
        account=account if account.isdigit() else _DEFAULT_ACCOUNT,
        region=region if region != "unknown-region" else _DEFAULT_REGION,
    )
    document = definitions_of(content, path, resolver)
    document["Lambdas"] = _lambdas(content, resolver, path, document.get("Functions", []))
    return document


def definitions_of(content: Mapping[str, Any], path: Path, resolver: Resolver) -> Json:
    """The group's definitions, resolved; ``Lambdas`` are not in it yet."""
    groups = _of_type(content, "Group")
    if len(groups) != 1:
        raise SourceError(
            f"{path}: contains {len(groups)} Greengrass groups; a core runs exactly one"
        )
    logical_id, group = next(iter(groups.items()))
    document: Json = {
        "Name": resolver.resolve((group.get("Properties") or {}).get("Name")) or logical_id,
        "Id": logical_id,
        "Region": resolver.region,
        "Account": resolver.account,
    }
    for kind, field in _DEFINITIONS:
        document.update(_definition(content, resolver, kind, field, path))
    cores = document.pop("Cores", [])
    if len(cores) != 1:
        raise SourceError(f"{path}: has {len(cores)} cores; exactly one is deployable")
    document["Core"] = _named(cores[0])
    document["Devices"] = [_named(device) for device in document.get("Devices", [])]
    return document


def _of_type(content: Mapping[str, Any], kind: str) -> dict[str, Mapping[str, Any]]:
    resources: Mapping[str, Any] = content.get("Resources") or {}
    wanted = kind if kind.startswith("AWS::") else _GREENGRASS + kind
    return {name: r for name, r in resources.items() if r.get("Type") == wanted}


def _definition(
    content: Mapping[str, Any], resolver: Resolver, kind: str, field: str, path: Path
) -> Json:
    """The content of the one definition version, or of an ``InitialVersion``."""
    versions = [r["Properties"] for r in _of_type(content, f"{kind}DefinitionVersion").values()]
    for shell in _of_type(content, f"{kind}Definition").values():
        if initial := (shell.get("Properties") or {}).get("InitialVersion"):
            versions.append(initial)
    if len(versions) > 1:
        raise SourceError(
            f"{path}: {len(versions)} versions of the {kind} definition; expected one"
        )
    if not versions:
        return {}
    resolved = resolver.resolve(versions[0])
    found: Json = {field: resolved.get(field) or []}
    if resolved.get("DefaultConfig"):
        found["DefaultConfig"] = resolved["DefaultConfig"]
    return found


def _named(thing: Json) -> Json:
    return {**thing, "ThingName": thing_name(thing["ThingArn"])}


def _lambdas(
    content: Mapping[str, Any], resolver: Resolver, path: Path, functions: list[Json]
) -> Json:
    by_name = {}
    for logical_id, resource in _of_type(content, "AWS::Lambda::Function").items():
        properties = resource["Properties"]
        by_name[resolver.resolve(properties.get("FunctionName")) or logical_id] = properties
    assets = _assets(path)
    found: Json = {}
    for entry in functions:
        arn = entry["FunctionArn"]
        if not isinstance(arn, str):
            raise SourceError(
                f"{path}: function {entry.get('Id')!r} has the ARN {arn!r}: a parameter without a "
                "default? Import the template first: fanfold import TEMPLATE FOLDER"
            )
        if arn.startswith(SYSTEM_PREFIX):
            continue
        name = arn.partition(":function:")[2].partition(":")[0]
        if name not in by_name:
            raise SourceError(
                f"{path}: function {arn} is not in the template, so its code is unknown;"
                " import the template (fanfold import TEMPLATE FOLDER), or load greengrass:NAME",
                exit_code=MISSING,
            )
        properties = by_name[name]
        found[arn] = {
            "FunctionName": name,
            "Handler": resolver.resolve(properties.get("Handler")),
            "Runtime": resolver.resolve(properties.get("Runtime")),
            "Code": str(_code(resolver, properties, assets, path, name)),
        }
    return found


def _assets(path: Path) -> dict[str, Path]:
    """S3 object key → file or folder, from every asset manifest beside the template."""
    found = {}
    for manifest in sorted(path.parent.glob("*.assets.json")):
        content = json.loads(manifest.read_text(encoding="utf-8"))
        for asset in (content.get("files") or {}).values():
            source = path.parent / asset["source"]["path"]
            for destination in asset["destinations"].values():
                found[destination["objectKey"]] = source.absolute()
    return found


def _code(
    resolver: Resolver,
    properties: Mapping[str, Any],
    assets: Mapping[str, Path],
    path: Path,
    name: str,
) -> Path:
    key = resolver.resolve((properties.get("Code") or {}).get("S3Key"))
    if key in assets:
        return assets[key]
    raise SourceError(
        f"{path}: the code of {name!r} (S3 key {key!r}) is not an asset beside the template;"
        " pass the whole cloud assembly folder, or import it: fanfold import TEMPLATE FOLDER",
        exit_code=MISSING,
    )
