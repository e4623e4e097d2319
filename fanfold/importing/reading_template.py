"""A CloudFormation template as plain data: YAML with its short tags, JSON, SAM translated."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from contract.nesting import TOO_DEEP, too_deep
from fanfold.common.errors import INVALID, MISSING, UserError
from infra.planning.yamlfile import MAX_VALUES, values_in

Json = dict[str, Any]
SAM = "AWS::Serverless-2016-10-31"
_TABS_IN_A_LINE = re.compile(r"(?<=[^ \t\n])[ \t]*\t[ \t]*")
"""Allowed there by YAML and by CloudFormation, not by PyYAML."""
_LOCAL_CODE = "s3://local-code/"
"""Stands for code beside a SAM template: its translator wants S3."""


def read(path: Path, region: str, parameters: dict[str, str]) -> Json:
    """Raises UserError where it cannot be read or is no mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}", MISSING) from error
    content = parse(text, path)
    _refuse_macros(content, path)
    if SAM in transforms(content):
        return _translated(content, path, region, parameters)
    return content


def transforms(content: Json) -> list[str]:
    """By name; one with parameters is a mapping."""
    found = content.get("Transform") or []
    each = found if isinstance(found, list) else [found]
    return [str(t.get("Name") if isinstance(t, dict) else t) for t in each]


def _refuse_macros(content: Json, path: Path) -> None:
    """Whatever stands where resources do and is none is CloudFormation's to expand."""
    for name, resource in (content.get("Resources") or {}).items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise UserError(
                f"{path}: {name!r} among its Resources has no Type: Fn::ForEach, Fn::Transform and "
                "other macros are not evaluated; import the template that CloudFormation made "
                "(aws cloudformation get-template --template-stage Processed)",
                INVALID,
            )


def parse(text: str, path: Path) -> Json:
    """JSON, or YAML with ``!Ref`` and its like written out."""
    content = _json(text)
    return content if content is not None else _yaml(text, path)


def _json(text: str) -> Json | None:
    """None: let YAML's parser say what it is. Most templates are large, and written by machines."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _yaml(text: str, path: Path) -> Json:
    if too_deep(text):
        raise UserError(f"{path}: {TOO_DEEP}: no template is; flatten it", INVALID)
    try:
        import yaml
    except ImportError as error:
        raise UserError(
            f"{path}: is no JSON; to read YAML: pip install 'fanfold[import]'", MISSING
        ) from error

    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.add_multi_constructor("!", _tagged)
    # Dates stay text: AWSTemplateFormatVersion looks like one.
    loader.yaml_implicit_resolvers = {
        key: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
        for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        try:
            content = yaml.load(text, loader)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError:
            content = yaml.load(_TABS_IN_A_LINE.sub(" ", text), loader)  # noqa: S506
        values = values_in(content)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: is neither YAML nor JSON: {error}", INVALID) from error
    except RecursionError:
        raise UserError(f"{path}: is nested too deep: no template is", INVALID) from None
    if values > MAX_VALUES:
        text = f"{path}: has more than {MAX_VALUES:,} values once its aliases are followed"
        raise UserError(f"{text}: write them out", INVALID)
    if not isinstance(content, dict):
        raise UserError(f"{path}: does not contain a mapping", INVALID)
    return content


def _tagged(loader: Any, suffix: str, node: Any) -> Json:
    import yaml

    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


def _translated(content: Json, path: Path, region: str, parameters: dict[str, str]) -> Json:
    try:
        import boto3
        from samtranslator.model.exceptions import InvalidDocumentException
        from samtranslator.parser.parser import Parser
        from samtranslator.translator.translator import Translator
    except ImportError as error:
        raise UserError(
            f"{path}: is a SAM template; install its translator: pip install 'fanfold[import]'",
            MISSING,
        ) from error
    for resource in (content.get("Resources") or {}).values():
        if resource.get("Type") == "AWS::Serverless::Function":
            _stand_in(resource.setdefault("Properties", {}))
    session = boto3.Session(region_name=region)
    translator = Translator({}, Parser(), boto_session=session)
    try:
        return dict(translator.translate(content, dict(parameters)))
    except InvalidDocumentException as error:
        raise UserError(f"{path}: SAM refuses it: {error.message}", INVALID) from error


def _stand_in(properties: Json) -> None:
    code = properties.get("CodeUri")
    if isinstance(code, str) and not code.startswith("s3://"):
        properties["CodeUri"] = _LOCAL_CODE + code


def local_code(bucket: object, key: object) -> str | None:
    """The path beside the template that a translated function's code stands for."""
    if isinstance(bucket, str) and f"s3://{bucket}/" == _LOCAL_CODE and isinstance(key, str):
        return key
    return None
