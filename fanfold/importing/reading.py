"""Which kind of source it is, and the reader for it."""

from __future__ import annotations

import contextlib
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgecore.sources import api, on_device
from edgecore.sources.aws_clients import AwsClients
from edgecore.sources.errors import SourceError
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.importing.assembly import MANIFEST
from fanfold.importing.from_export import from_export, is_export
from fanfold.importing.from_greengo import from_greengo, is_greengo
from fanfold.importing.from_template import Given, from_assembly, from_template
from fanfold.importing.imported import Imported, Json
from fanfold.importing.reading_template import parse

_API = "greengrass:"


@contextlib.contextmanager
def imported_from(
    source: str,
    cloud: AwsClients,
    parameters: Mapping[str, str] = {},
    imports: Mapping[str, str] = {},
) -> Iterator[Imported]:
    """What `source` holds; what was downloaded for it is there as long as the context.

    Raises UserError, also for a SourceError of what is done within it.
    """
    with tempfile.TemporaryDirectory(prefix="fanfold-import-") as scratch:
        given = Given(scratch=Path(scratch), parameters=parameters, imports=imports)
        try:
            yield read_source(source, cloud, given)
        except SourceError as error:
            raise UserError(str(error), error.exit_code) from error


def read_source(source: str, cloud: AwsClients, given: Given) -> Imported:
    """Raises UserError or SourceError."""
    if source.startswith(_API):
        return _from_api(source[len(_API) :], cloud, given.scratch)
    name, _, stack = source.partition("#")
    if (Path(name) / MANIFEST).is_file():
        return from_assembly(Path(name), stack or None, cloud, given)
    path, group = (Path(source), "") if Path(source).exists() else (Path(name), stack)
    path = _file(path)
    content = parse(path.read_text(encoding="utf-8", errors="replace"), path)
    if isinstance(content.get("Resources"), dict):
        return from_template(path, cloud, given, group=group)
    if is_export(content):
        return from_export(path.parent, content)
    if is_greengo(content):
        return from_greengo(content, path, cloud.effective_region)
    return _with_code_beside(Imported(source=source, document=_document(content, path)))


def _file(path: Path) -> Path:
    if path.is_dir():  # what export_ggv1.sh writes
        if not (path / "group.json").is_file():
            raise UserError(
                f"{path}: neither a cloud assembly (manifest.json, which `cdk synth` writes) nor "
                "an export (group.json)",
                MISSING,
            )
        return path / "group.json"
    if not path.is_file():
        raise UserError(f"{path}: no such file; pass a file or greengrass:NAME", MISSING)
    return path


def _document(content: Json, path: Path) -> Json:
    """A group document's own content, or an on-device group.json's as one."""
    if "GroupDefinitions" in content:
        return on_device.read(content, path)
    if "Core" not in content:
        raise UserError(
            f"{path}: neither a template, an on-device group.json, a greengo.yaml, an export nor a "
            "group document; expected a key Resources, GroupDefinitions, Group, Definition or Core",
            INVALID,
        )
    for arn, entry in content.setdefault("Lambdas", {}).items():
        entry.setdefault("FunctionName", arn.partition(":function:")[2].partition(":")[0])
        if code := entry.get("Code"):
            entry["Code"] = str(path.parent / code)
    return content


def _with_code_beside(imported: Imported) -> Imported:
    for arn, entry in imported.document["Lambdas"].items():
        if code := entry.get("Code"):
            imported.code[arn] = Path(code)
    return imported


def _from_api(name: str, cloud: AwsClients, scratch: Path) -> Imported:
    imported = Imported(source=f"{_API}{name}", document=api.read(cloud, name))
    folder = Path(tempfile.mkdtemp(dir=scratch))
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
