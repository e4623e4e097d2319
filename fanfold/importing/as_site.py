"""A V1 group as a site file for another target, and what of it has no counterpart there. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contract.topics import NAME
from edgecore.sources.document import SYSTEM_PREFIX, model_data
from fanfold.common.errors import INVALID, UserError
from fanfold.importing.left_behind import left_behind, parts_without
from infra.planning.site import MODEL_URI

Json = Mapping[str, Any]
_NAME = re.compile(r"[^a-z0-9]+")
_PLACE = "CHANGE-ME"


@dataclass(frozen=True)
class Migrated:
    """`site`: the file's content. `lacking`: what it needs from a person; `report`: what is left
    behind, one sentence each."""

    site: dict[str, Any]
    lacking: tuple[str, ...]
    report: tuple[str, ...]
    own: bool = False
    """Whether Fanfold rendered the group."""


def as_site(document: Json, target: str, profile: str, name: str) -> Migrated:
    """`document`: a group document (docs/spec/group-document.md). `name`: of a group that is not
    Fanfold's; ours has one, which its topics begin with."""
    variables = [_variables(f) for f in document.get("Functions") or []]
    own = next((v for v in variables if v.get("FANFOLD_ROLE") == "splitter"), None)
    thing_arn = str(document["Core"].get("ThingArn") or "")
    arn = thing_arn.split(":")
    if len(arn) < 6 or ":thing/" not in thing_arn:
        raise UserError(
            f"Core: ThingArn is {thing_arn!r}; arn:aws:iot:REGION:ACCOUNT:thing/NAME is needed",
            INVALID,
        )
    things = {} if own else _camera_of_thing(document)
    site: dict[str, Any] = {
        "name": own["FANFOLD_SITE"] if own else name,
        "profile": profile,
        "account": arn[4],
        "region": arn[3],
        "core": {"thing": thing_arn.rpartition(":thing/")[2]},
        "target": target,
    }
    if uri := _model(document):
        site["model"] = {"s3_uri": uri}
    names = own["FANFOLD_CAMERAS"].split(",") if own else list(things.values())
    sources = _sources(variables)
    site["cameras"] = [{"name": name, **sources.get(name, {})} for name in names]
    site["volumes"] = _volumes(document, own)
    if own is not None:
        site |= _settings(own, variables)
    if logging := _logging(document):
        site["logging"] = logging
    left = [*_functions_left(document), *parts_without(document)]
    if own is None:
        left += left_behind(document, site, things)
    return Migrated(site, tuple(_lacking(site)), tuple(left), own is not None)


def _settings(own: Mapping[str, str], variables: list[dict[str, str]]) -> dict[str, Any]:
    """What Fanfold's own groups say in the variables of their functions."""
    roles = [v.get("FANFOLD_ROLE") for v in variables]
    strategy = "pool" if "pool" in roles else "decoupled" if "transform" in roles else "pinned"
    if own.get("FANFOLD_ON_DEMAND"):
        strategy = "on_demand"
    found: dict[str, Any] = {"strategy": strategy}
    if strategy in ("pinned", "decoupled"):
        found["workers"] = roles.count("inference")
    for name, key in (("FANFOLD_BATCH", "batch"), ("FANFOLD_WINDOW", "window")):
        if own.get(name, "").isdigit():
            found[key] = int(own[name])
    return found


def _sources(variables: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Cameras that the device fetches pictures from itself."""
    grabber = next((v for v in variables if v.get("FANFOLD_ROLE") == "grabber"), {})
    found = json.loads(grabber.get("FANFOLD_SOURCES") or "[]")
    return {each["name"]: {k: v for k, v in each.items() if k != "name"} for each in found}


def _variables(function: Json) -> dict[str, str]:
    configuration = function.get("FunctionConfiguration") or {}
    return dict((configuration.get("Environment") or {}).get("Variables") or {})


def _model(document: Json) -> str | None:
    for resource in document.get("Resources") or []:
        uri = str((model_data(resource) or {}).get("S3Uri") or "")
        if re.fullmatch(MODEL_URI, uri):
            return uri
    return None


def _camera_of_thing(document: Json) -> dict[str, str]:
    """Each device with a name that a stream may have, none twice."""
    found: dict[str, str] = {}
    for number, device in enumerate(document.get("Devices") or []):
        thing = str(device.get("ThingArn") or "").rpartition("/")[2]
        name = _NAME.sub("-", thing.lower()).strip("-")[:20].strip("-")
        if not re.fullmatch(NAME, name) or name in found.values():
            name = f"cam{number + 1}"
        found[thing] = name
    return found


def _logging(document: Json) -> dict[str, Any]:
    """Level and space of the functions' log files, where the group says them."""
    loggers = [each for each in document.get("Loggers") or [] if each.get("Component") == "Lambda"]
    files = next((each for each in loggers if each.get("Type") == "FileSystem"), None)
    found: dict[str, Any] = {}
    if files and files.get("Level"):
        found["level"] = files["Level"]
    if files and str(files.get("Space") or "").isdigit():
        found["space_kb"] = max(int(files["Space"]), 128)
    if any(each.get("Type") == "AWSCloudWatch" for each in loggers):
        found["cloudwatch"] = True
    return found


def _volumes(document: Json, own: Mapping[str, str] | None) -> dict[str, str]:
    if own is not None:
        return {"images": own["FANFOLD_IMAGES_DIR"], "state": own["FANFOLD_STATE_DIR"]}
    paths = [
        str(data["SourcePath"])
        for resource in document.get("Resources") or []
        if (data := (resource.get("ResourceDataContainer") or {}).get("LocalVolumeResourceData"))
    ]
    images, state = [*paths, _PLACE, _PLACE][:2]
    return {"images": images, "state": state}


def _lacking(site: Mapping[str, Any]) -> Iterator[str]:
    if not site.get("model"):
        yield (
            "model: the group names no package; make one of its network (fanfold model new), "
            "publish it, and add model.s3_uri"
        )
    if not site["cameras"]:
        yield "cameras: the group has no device; name at least one"
    for name, path in site["volumes"].items():
        if path == _PLACE:
            yield f"volumes.{name}: no volume of the group fits; give an absolute path"
    if site["target"] == "v2":
        yield "components.runtimes: make the libraries with fanfold bundle --runtime-zip"


def _functions_left(document: Json) -> Iterator[str]:
    """Code that no package of a network replaces."""
    for function in document.get("Functions") or []:
        arn = str(function["FunctionArn"])
        if arn.startswith(SYSTEM_PREFIX) or _variables(function).get("FANFOLD_ROLE"):
            continue
        yield (
            f"function {function.get('Id') or arn}: a site runs the network of a package; put its "
            "code around it as hooks (docs/guides/own-transform.md), or run the whole group as it "
            "is (docs/guides/moving-a-v1-group.md)"
        )
