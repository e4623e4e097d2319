"""Which kind of source it is, and the reader for it."""

from __future__ import annotations

import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgecore.sources import api, on_device
from edgecore.sources.aws_clients import AwsClients
from fanfold.common.errors import INVALID, UserError
from fanfold.importing.from_export import from_export, is_export
from fanfold.importing.from_greengo import from_greengo, is_greengo
from fanfold.importing.from_template import from_template
from fanfold.importing.imported import Imported
from fanfold.importing.reading_template import parse

_API = "greengrass:"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the user adds to the source."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    imports: Mapping[str, str] = field(default_factory=dict)


def read_source(source: str, cloud: AwsClients, given: Given) -> Imported:
    """Raises UserError or SourceError."""
    if source.startswith(_API):
        return _from_api(source[len(_API) :], cloud)
    path = Path(source)
    if path.is_dir():  # what export_ggv1.sh writes
        path /= "group.json"
    if not path.is_file():
        raise UserError(f"{path}: no such file; pass a file or greengrass:NAME", INVALID)
    content = parse(path.read_text(encoding="utf-8", errors="replace"), path)
    if "GroupDefinitions" in content:
        return _with_code_beside(Imported(source=source, document=on_device.read(content, path)))
    if is_export(content):
        return from_export(path.parent, content)
    if is_greengo(content):
        return from_greengo(content, path, cloud.effective_region)
    if isinstance(content.get("Resources"), dict):
        return from_template(path, cloud, dict(given.parameters), dict(given.imports))
    if "Core" in content:
        for entry in (content.get("Lambdas") or {}).values():
            if code := entry.get("Code"):
                entry["Code"] = str(path.parent / code)
        content.setdefault("Lambdas", {})
        return _with_code_beside(Imported(source=source, document=content))
    raise UserError(
        f"{path}: neither a template, an on-device group.json, a greengo.yaml, an export nor a "
        "group document; expected a key Resources, GroupDefinitions, Group, Definition or Core",
        INVALID,
    )


def _with_code_beside(imported: Imported) -> Imported:
    for arn, entry in imported.document["Lambdas"].items():
        if code := entry.get("Code"):
            imported.code[arn] = Path(code)
    return imported


def _from_api(name: str, cloud: AwsClients) -> Imported:
    imported = Imported(source=f"{_API}{name}", document=api.read(cloud, name))
    folder = Path(tempfile.mkdtemp(prefix="fanfold-import-"))
    for number, (arn, entry) in enumerate(imported.document["Lambdas"].items()):
        entry.pop("CodeSha256", None)
        location = entry.pop("CodeLocation", None)
        if location and location.startswith(("https://", "http://")):
            packed = folder / f"{number}.zip"
            try:
                with urllib.request.urlopen(location, timeout=60) as answer:  # noqa: S310
                    packed.write_bytes(answer.read())
            except OSError:
                continue  # the report says that it is missing
            imported.code[arn] = packed
    return imported
