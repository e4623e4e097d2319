"""A template, or a cloud assembly's, as a group document with the code beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecore.sources.aws_clients import AwsClients, explained
from edgecore.sources.document import SYSTEM_PREFIX
from edgecore.sources.errors import SourceError
from edgecore.sources.intrinsics import Resolver
from edgecore.sources.template import definitions_of
from fanfold.common.errors import INVALID, UserError
from fanfold.importing.conditions import decided
from fanfold.importing.imported import Imported, Json
from fanfold.importing.reading_template import local_code, read

_ACCOUNT = "123456789012"
_INLINE = {"nodejs": "index.js", "python": "index.py"}


def from_template(
    path: Path, cloud: AwsClients, parameters: dict[str, str], imports: dict[str, str]
) -> Imported:
    """Raises UserError or SourceError."""
    region = cloud.effective_region
    content = read(path, region, parameters)
    content = _without_imports(content, imports, path)
    _fill_parameters(content, parameters, path)
    account = _account(parameters)
    plain = Resolver(content, account=account, region=region)
    content = decided(content, plain.resolve)
    resolver = Resolver(content, account=account, region=region)
    document = definitions_of(content, path, resolver)
    imported = Imported(source=str(path), document=document)
    document["Lambdas"] = {}
    by_name = dict(_functions(content, resolver))
    for entry in document.get("Functions", []):
        arn = str(entry["FunctionArn"])
        if arn.startswith(SYSTEM_PREFIX):
            continue
        if ":function:" not in arn:
            raise UserError(f"{path}: FunctionArn {arn!r} is not the ARN of a function", INVALID)
        name = arn.partition(":function:")[2].partition(":")[0]
        properties = by_name.get(name, {})
        document["Lambdas"][arn] = {
            "FunctionName": name,
            "Handler": resolver.resolve(properties.get("Handler")),
            "Runtime": resolver.resolve(properties.get("Runtime")),
        }
        if found := _code(resolver.resolve(properties.get("Code") or {}), properties, path, cloud):
            imported.code[arn] = found
    return imported


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


def _code(
    code: Any, properties: Json, path: Path, cloud: AwsClients
) -> Path | dict[str, str] | None:
    if isinstance(code, str):
        return path.parent / code  # `aws cloudformation package` takes a local path too
    if text := code.get("ZipFile"):
        runtime = str(properties.get("Runtime") or "python")
        name = next((n for family, n in _INLINE.items() if runtime.startswith(family)), "index.py")
        return {name: str(text)}
    bucket, key = code.get("S3Bucket"), code.get("S3Key")
    if (local := local_code(bucket, key)) is not None:
        return path.parent / local
    return _from_s3(str(bucket), str(key), cloud) if bucket and key else None


def _from_s3(bucket: str, key: str, cloud: AwsClients) -> Path | None:
    """None where it cannot be had: the report says whose code is missing."""
    target = Path(tempfile.mkdtemp(prefix="fanfold-import-")) / "code.zip"
    try:
        with explained(f"s3://{bucket}/{key}"):
            cloud.client("s3").download_file(bucket, key, str(target))
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
            parameter["Default"] = given[name]
    missing = sorted(name for name, each in declared.items() if "Default" not in each)
    if missing:
        words = " ".join(f"--parameter {name}=VALUE" for name in missing)
        raise UserError(f"{path}: parameters without a default: pass {words}", INVALID)


def _without_imports(value: Any, imports: dict[str, str], path: Path) -> Any:
    """``Fn::ImportValue`` replaced by what the user says that the other stack exports."""
    if isinstance(value, list):
        return [_without_imports(each, imports, path) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"Fn::ImportValue"}:
        return {key: _without_imports(each, imports, path) for key, each in value.items()}
    name = value["Fn::ImportValue"]
    if isinstance(name, dict) and isinstance(name.get("Fn::Sub"), str):
        name = name["Fn::Sub"]
    if not isinstance(name, str) or name not in imports:
        raise UserError(
            f"{path}: takes {name!r} from another stack: pass --import-value '{name}=VALUE' "
            "(aws cloudformation list-exports shows it)",
            INVALID,
        )
    return imports[name]
