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


def definitions_of(
    content: Mapping[str, Any], path: Path, resolver: Resolver, wanted: str = ""
) -> Json:
    """A group document without ``Lambdas``; `wanted`: the group's logical id, where there are
    several. Raises UserError."""
    logical_id, group = _group(content, path, wanted)
    named = _named_by(content, logical_id, group)
    document: Json = {
        "Name": resolver.resolve((group.get("Properties") or {}).get("Name")) or logical_id,
        "Id": logical_id,
        "Region": resolver.region,
        "Account": resolver.account,
    }
    for kind, field in _DEFINITIONS:
        if version := _version(content, kind, named.get(kind), path):
            document.update(_definition(version, resolver, field))
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


def _group(content: Mapping[str, Any], path: Path, wanted: str) -> tuple[str, Mapping[str, Any]]:
    groups = of_type(content, "Group")
    if wanted and wanted not in groups:
        raise UserError(
            f"{path}: has no group {wanted!r}; it has: {', '.join(groups) or 'none'}", INVALID
        )
    if not wanted and len(groups) != 1:
        choose = f": pass one, {path}#" + f" or {path}#".join(groups) if groups else ""
        raise UserError(
            f"{path}: contains {len(groups)} Greengrass groups; a core runs exactly one{choose}",
            INVALID,
        )
    name = wanted or next(iter(groups))
    return name, groups[name]


def _named_by(content: Mapping[str, Any], name: str, group: Mapping[str, Any]) -> dict[str, str]:
    """The logical id that the group's version names of each kind, where it is of this template."""
    properties = group.get("Properties") or {}
    versions = [properties.get("InitialVersion") or {}]
    for version in of_type(content, "GroupVersion").values():
        if _logical_id((version.get("Properties") or {}).get("GroupId")) == name:
            versions.append(version["Properties"])
    arns = {kind: versions[-1].get(f"{kind}DefinitionVersionArn") for kind, _ in _DEFINITIONS}
    found = {kind: _logical_id(arn) for kind, arn in arns.items()}
    return {kind: one for kind, one in found.items() if one in (content.get("Resources") or {})}


def _logical_id(value: Any) -> str:
    if not isinstance(value, dict) or len(value) != 1:
        return ""
    target = value.get("Ref") or value.get("Fn::GetAtt") or ""
    return str(target[0] if isinstance(target, list) else target).partition(".")[0]


def _version(content: Mapping[str, Any], kind: str, wanted: str | None, path: Path) -> Json:
    """The definition version that the group names, else the only one there is."""
    versions = [
        r["Properties"]
        for name, r in of_type(content, f"{kind}DefinitionVersion").items()
        if wanted in (None, name)
    ]
    for name, shell in of_type(content, f"{kind}Definition").items():
        initial = (shell.get("Properties") or {}).get("InitialVersion")
        if initial and wanted in (None, name):
            versions.append(initial)
    if len(versions) > 1:
        raise UserError(
            f"{path}: {len(versions)} versions of the {kind} definition, and the group names none "
            "of them; leave one",
            INVALID,
        )
    return dict(versions[0]) if versions else {}


def _definition(version: Json, resolver: Resolver, field: str) -> Json:
    resolved = resolver.resolve(version)
    found: Json = {field: resolved.get(field) or []}
    if resolved.get("DefaultConfig"):
        found["DefaultConfig"] = resolved["DefaultConfig"]
    return found


def _named(thing: Json) -> Json:
    return {**thing, "ThingName": thing_name(thing["ThingArn"])}
