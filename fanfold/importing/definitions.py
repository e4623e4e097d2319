"""The definitions of the one Greengrass group in a template, resolved. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecore.sources.document import thing_name
from fanfold.common.errors import INVALID, UserError
from fanfold.importing.intrinsics import Resolver

Json = dict[str, Any]
_GREENGRASS = "AWS::Greengrass::"
_DEFINITIONS = (
    ("Core", "Cores"),
    ("Device", "Devices"),
    ("Function", "Functions"),
    ("Resource", "Resources"),
    ("Subscription", "Subscriptions"),
    ("Logger", "Loggers"),
    ("Connector", "Connectors"),
)


def definitions_of(content: Mapping[str, Any], path: Path, resolver: Resolver) -> Json:
    """A group document without ``Lambdas``. Raises UserError."""
    groups = of_type(content, "Group")
    if len(groups) != 1:
        raise UserError(
            f"{path}: contains {len(groups)} Greengrass groups; a core runs exactly one", INVALID
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
        raise UserError(f"{path}: has {len(cores)} cores; exactly one is deployable", INVALID)
    document["Core"] = _named(cores[0])
    document["Devices"] = [_named(device) for device in document.get("Devices", [])]
    return document


def of_type(content: Mapping[str, Any], kind: str) -> dict[str, Mapping[str, Any]]:
    """``kind`` without ``AWS::Greengrass::``, by logical id."""
    resources: Mapping[str, Any] = content.get("Resources") or {}
    return {name: r for name, r in resources.items() if r.get("Type") == _GREENGRASS + kind}


def _definition(
    content: Mapping[str, Any], resolver: Resolver, kind: str, field: str, path: Path
) -> Json:
    """The content of the one definition version, or of an ``InitialVersion``."""
    versions = [r["Properties"] for r in of_type(content, f"{kind}DefinitionVersion").values()]
    for shell in of_type(content, f"{kind}Definition").values():
        if initial := (shell.get("Properties") or {}).get("InitialVersion"):
            versions.append(initial)
    if len(versions) > 1:
        raise UserError(
            f"{path}: {len(versions)} versions of the {kind} definition; expected one", INVALID
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
