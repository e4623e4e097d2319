"""A template, or a cloud assembly's, as a group document with the code beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecore.sources.aws_clients import AwsClients, explained
from edgecore.sources.document import SYSTEM_PREFIX
from edgecore.sources.errors import SourceError
from fanfold.common.errors import INVALID, UserError
from fanfold.importing.assembly import assets_beside, template_of
from fanfold.importing.conditions import decided
from fanfold.importing.definitions import definitions_of
from fanfold.importing.imported import Imported, Json
from fanfold.importing.intrinsics import Resolver
from fanfold.importing.reading_template import SAM, local_code, read, transforms

_ACCOUNT = "123456789012"
_EVALUATED = ("AWS::LanguageExtensions",)
_INLINE = {"nodejs": "index.js", "python": "index.py"}


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the user adds to the source; ``scratch`` is a folder for downloads."""

    scratch: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    imports: Mapping[str, str] = field(default_factory=dict)


def from_assembly(folder: Path, stack: str | None, cloud: AwsClients, given: Given) -> Imported:
    """Raises UserError or SourceError."""
    path, account, region = template_of(folder, stack)
    return from_template(path, cloud, given, account=account, region=region)


def from_template(  # noqa: PLR0913 - keyword-only
    path: Path,
    cloud: AwsClients,
    given: Given,
    *,
    account: str | None = None,
    region: str | None = None,
    group: str = "",
) -> Imported:
    """Nothing is deployed: versions and aliases are the code that the template itself carries.

    `group`: the logical id, where the template holds several groups.

    Raises UserError or SourceError.
    """
    parameters = dict(given.parameters)
    region = region or cloud.effective_region
    content = read(path, region, parameters)
    macros = [t for t in transforms(content) if t not in (SAM, *_EVALUATED)]
    _fill_parameters(content, parameters, path)
    account = account or _account(parameters)
    plain = Resolver(content, account=account, region=region)
    content = _without_imports(content, given.imports, path, plain)
    plain = Resolver(content, account=account, region=region)
    content = decided(content, plain.resolve)
    resolver = Resolver(content, account=account, region=region)
    document = definitions_of(content, path, resolver, group)
    imported = Imported(source=str(path), document=document)
    imported.notes += [
        f"transform {t!r}: is not evaluated; what it adds is missing" for t in macros
    ]
    _add_lambdas(imported, content, resolver, _Codes(path, cloud, given.scratch))
    return imported


def _add_lambdas(imported: Imported, content: Json, resolver: Resolver, codes: _Codes) -> None:
    document = imported.document
    document["Lambdas"] = {}
    by_name = dict(_functions(content, resolver))
    for entry in document.get("Functions", []):
        arn = str(entry["FunctionArn"])
        if arn.startswith(SYSTEM_PREFIX):
            continue
        if ":function:" not in arn:
            raise UserError(
                f"{imported.source}: FunctionArn {arn!r} is not the ARN of a function", INVALID
            )
        name = arn.partition(":function:")[2].partition(":")[0]
        properties = by_name.get(name, {})
        document["Lambdas"][arn] = {
            "FunctionName": name,
            "Handler": resolver.resolve(properties.get("Handler")),
            "Runtime": resolver.resolve(properties.get("Runtime")),
        }
        if properties.get("Layers"):
            imported.notes.append(
                f"function {name}: its layers are not imported; put their files into code/{name}"
            )
        if found := codes.find(resolver.resolve(properties.get("Code") or {}), properties):
            imported.code[arn] = found


def _account(parameters: dict[str, str]) -> str:
    """Of an ARN among the parameters, so that all of the group has one account."""
    for value in parameters.values():
        parts = value.split(":")
        if value.startswith("arn:") and len(parts) > 5 and parts[4].isdigit():
            return parts[4]
    return _ACCOUNT


def _functions(content: Json, resolver: Resolver) -> Iterator[tuple[str, Json]]:
    for logical_id, resource in (content.get("Resources") or {}).items():
        if resource.get("Type") == "AWS::Lambda::Function":
            properties = resource.get("Properties") or {}
            yield str(resolver.resolve(properties.get("FunctionName")) or logical_id), properties


class _Codes:
    """Where a template's code is: in it, beside it, an asset of its assembly, or in S3."""

    def __init__(self, path: Path, cloud: AwsClients, scratch: Path) -> None:
        self._folder = path.parent
        self._assets = assets_beside(path)
        self._cloud = cloud
        self._scratch = scratch

    def find(self, code: Any, properties: Json) -> Path | dict[str, str] | None:
        if isinstance(code, str):
            return self._folder / code  # `aws cloudformation package` takes a local path too
        if text := code.get("ZipFile"):
            runtime = str(properties.get("Runtime") or "python")
            family = next((n for f, n in _INLINE.items() if runtime.startswith(f)), "index.py")
            return {family: str(text)}
        bucket, key = code.get("S3Bucket"), code.get("S3Key")
        if (local := local_code(bucket, key)) is not None:
            return self._folder / local
        if key in self._assets:
            return self._assets[key]
        return self._from_s3(str(bucket), str(key)) if bucket and key else None

    def _from_s3(self, bucket: str, key: str) -> Path | None:
        """None where it cannot be had: the report says whose code is missing."""
        target = Path(tempfile.mkdtemp(dir=self._scratch)) / "code.zip"
        try:
            with explained(f"s3://{bucket}/{key}"):
                self._cloud.client("s3").download_file(bucket, key, str(target))
        except SourceError:
            return None
        return target


def _fill_parameters(content: Json, given: dict[str, str], path: Path) -> None:
    declared = content.setdefault("Parameters", {}) or {}
    if unknown := sorted(set(given) - set(declared)):
        known = ", ".join(sorted(declared)) or "none"
        raise UserError(f"{path}: no parameter {unknown[0]!r}; it has: {known}", INVALID)
    for name, parameter in declared.items():
        if name in given:
            parameter.update(Default=given[name], Type="String")
    missing = sorted(name for name, each in declared.items() if "Default" not in each)
    if missing:
        words = " ".join(f"--parameter {name}=VALUE" for name in missing)
        raise UserError(f"{path}: parameters without a default: pass {words}", INVALID)


def _without_imports(value: Any, imports: Mapping[str, str], path: Path, resolver: Resolver) -> Any:
    """``Fn::ImportValue`` replaced by what the user says that the other stack exports."""
    if isinstance(value, list):
        return [_without_imports(each, imports, path, resolver) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"Fn::ImportValue"}:
        return {key: _without_imports(each, imports, path, resolver) for key, each in value.items()}
    name = value["Fn::ImportValue"]
    if isinstance(name, dict) and isinstance(name.get("Fn::Sub"), str):
        name = name["Fn::Sub"]
    if not isinstance(name, str):  # a name put together from parameters
        name = str(resolver.resolve(name))
    if name not in imports:
        raise UserError(
            f"{path}: takes {name!r} from another stack: pass --import-value '{name}=VALUE' "
            "(aws cloudformation list-exports shows it)",
            INVALID,
        )
    return imports[name]
