"""The folder that AWS's ``export_ggv1.sh`` writes: answers of the V1 API, and the Lambdas' code.

The script (in AWS's Greengrass agent context pack) keeps the group version, the functions, the
subscriptions and ``lambda-code/NAME/``. Of the other definitions it keeps only the ARNs, so they
are read from files of the same form where the user adds them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contract.nesting import json_of
from edgecore.sources.document import SYSTEM_PREFIX, thing_name
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.importing.imported import Imported, Json

_PARTS = (
    ("Function", "functions.json", "Functions"),
    ("Subscription", "subscriptions.json", "Subscriptions"),
    ("Core", "core.json", "Cores"),
    ("Device", "devices.json", "Devices"),
    ("Resource", "resources.json", "Resources"),
    ("Logger", "loggers.json", "Loggers"),
    ("Connector", "connectors.json", "Connectors"),
)
_THING = ":thing/"


def is_export(content: Json) -> bool:
    """A `get-group-version` answer."""
    definition = content.get("Definition")
    return isinstance(definition, dict) and any(k.endswith("VersionArn") for k in definition)


def from_export(folder: Path, group: Json) -> Imported:
    """``group``: the content of ``group.json``. Raises UserError."""
    arns = group["Definition"]
    parts: Json = {}
    notes = []
    for kind, name, field in _PARTS:
        parts[field], default = _definition(folder / name, field)
        if default:
            parts["DefaultConfig"] = default
        if arns.get(f"{kind}DefinitionVersionArn") and not (folder / name).exists():
            notes.append(_not_exported(kind, name, arns[f"{kind}DefinitionVersionArn"]))
    identity = str(group.get("Id") or "group")
    place = str(group.get("Arn") or "arn:aws:greengrass:us-east-1:123456789012:").split(":")
    prefix = f"arn:aws:iot:{place[3]}:{place[4]}{_THING}"
    core = next(
        iter(parts.pop("Cores")), {"Id": "core", "ThingArn": f"{prefix}core-{identity[:8]}"}
    )
    if not parts["Devices"]:
        parts["Devices"] = _devices_in(parts["Subscriptions"], str(core["ThingArn"]))
    document = {"Name": f"group-{identity[:8]}", "Id": identity, "Region": place[3],
        "Core": core, "Lambdas": {}, **parts}  # fmt: skip
    imported = Imported(source=str(folder), document=document, notes=notes)
    for entry in parts["Functions"]:
        _add_lambda(imported, entry, folder / "lambda-code")
    return imported


def _definition(path: Path, field: str) -> tuple[list[Json], Json]:
    if not path.exists():
        return [], {}
    try:
        definition: Any = json_of(path.read_text(encoding="utf-8"))["Definition"]
        return list(definition.get(field) or []), dict(definition.get("DefaultConfig") or {})
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error}", MISSING) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: is not the answer of a get-…-definition-version call of the V1 API; export "
            "it again",
            INVALID,
        ) from error


def _not_exported(kind: str, name: str, arn: str) -> str:
    identity, _, version = arn.rpartition("/versions/")
    lower = kind.lower()
    without = ": the core's name is made up" if kind == "Core" else " and left out"
    return (
        f"{lower} definition: is not in the export{without}; add it as {name}: aws greengrass "
        f"get-{lower}-definition-version --{lower}-definition-id {identity.rpartition('/')[2]} "
        f"--{lower}-definition-version-id {version}"
    )


def _devices_in(subscriptions: list[Json], core: str) -> list[Json]:
    """Without the device definition: the things that the subscriptions name."""
    ends = [str(each.get(end)) for each in subscriptions for end in ("Source", "Target")]
    arns = dict.fromkeys(end for end in ends if _THING in end and end != core)
    return [{"Id": thing_name(arn), "ThingArn": arn} for arn in arns]


def _add_lambda(imported: Imported, entry: Json, codes: Path) -> None:
    arn = str(entry.get("FunctionArn"))
    if arn.startswith(SYSTEM_PREFIX):
        return
    name = arn.partition(":function:")[2].partition(":")[0]
    imported.document["Lambdas"][arn] = {"FunctionName": name, "Handler": None, "Runtime": None}
    if (codes / name).exists():
        imported.code[arn] = codes / name
