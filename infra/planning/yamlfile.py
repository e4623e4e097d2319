"""A YAML file → a validated record, or findings that name file, line, key, value and choice.

Everything wrong with a file is reported at once. This module and `load.py` are the only ones of
the package that read files.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from contract.nesting import TOO_DEEP, too_deep
from infra.planning.findings import Finding, InvalidInput
from infra.planning.wording import allowed, unit_hint

Row = TypeVar("Row", bound=BaseModel)
Loc = tuple[int | str, ...]
#: A site of 1,000 cameras has about 10,000; aliases of aliases make 10⁹ out of 300 bytes.
MAX_VALUES = 200_000
MAX_BYTES = 4 << 20


def read(path: Path, model: type[Row]) -> Row:
    """Read one record. Raises InvalidInput with every finding of the file."""
    return cast("Row", _record(path, _text(path), model))


@functools.lru_cache(maxsize=32)
def _record(path: Path, text: str, model: type[BaseModel]) -> BaseModel:
    """Remembered, as the sites of a fleet name the same few profiles; records never change."""
    tree = _tree(path, text)
    try:
        # As JSON, so that strict types still take a YAML list for a tuple.
        text = json.dumps(tree, default=str)
    except TypeError:
        finding = Finding("FF002", "error", str(path), "has a list as a key.", "Use plain keys.")
        raise InvalidInput([finding]) from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        found = [_finding(path, tree, model, detail) for detail in _distinct(error.errors())]
        lines = [line for each in found for line in each]
        raise InvalidInput([finding for _, finding in sorted(lines, key=lambda n: n[0])]) from None


def parse(path: Path) -> Any:
    """The file as mappings that know their lines. Raises InvalidInput."""
    return _tree(path, _text(path))


def _text(path: Path) -> str:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise InvalidInput([_too_large(path, size_bytes)])
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput([_unreadable(path, error.strerror or str(error))]) from None
    except UnicodeDecodeError:
        raise InvalidInput([_unreadable(path, "not UTF-8 text")]) from None


@functools.lru_cache(maxsize=4)
def _tree(path: Path, text: str) -> Any:
    """Remembered, as a site's is asked again for each of its cores; nobody changes one."""
    if too_deep(text):
        finding = Finding("FF002", "error", str(path), f"{TOO_DEEP}.", "Flatten it.")
        raise InvalidInput([finding])
    try:
        tree = YAML(typ="rt").load(text)
        values = values_in(tree)
    except (MarkedYAMLError, YAMLError) as error:
        raise InvalidInput([_not_yaml(path, error)]) from None
    except RecursionError:
        finding = Finding("FF002", "error", str(path), "is nested too deep.", "Flatten it.")
        raise InvalidInput([finding]) from None
    if values > MAX_VALUES:
        what = f"has more than {MAX_VALUES:,} values once its aliases are followed."
        raise InvalidInput([Finding("FF002", "error", str(path), what, "Write them out.")])
    if not isinstance(tree, Mapping):
        what = "empty" if tree is None else "a list" if isinstance(tree, list) else "one value"
        finding = Finding("FF002", "error", str(path), f"is {what}.", "Write `key: value` lines.")
        raise InvalidInput([finding])
    return tree


def values_in(tree: Any) -> float:
    """How many values a tree has with its aliases followed; infinite where one holds itself."""
    sizes: dict[int, float] = {}

    def size(node: Any) -> float:
        inner = node.values() if isinstance(node, Mapping) else node
        if isinstance(node, str) or not isinstance(node, Mapping | Sequence):
            return 1
        if id(node) not in sizes:
            sizes[id(node)] = math.inf  # until it is known: what comes by here again is a circle
            sizes[id(node)] = 1 + sum(size(each) for each in inner)
        return sizes[id(node)]

    return size(tree)


def line_of(tree: Any, loc: Loc) -> int:
    """1-based line of the deepest part of `loc` that the file has."""
    line, node = 1, tree
    for step in loc:
        try:
            if isinstance(node, Mapping):
                line = node.lc.key(step)[0] + 1  # type: ignore[attr-defined]
            elif isinstance(node, Sequence) and not isinstance(node, str):
                line = node.lc.item(step)[0] + 1  # type: ignore[attr-defined]
            else:
                break
            node = node[step]
        except (KeyError, IndexError, AttributeError, TypeError):
            break
    return line


def _unreadable(path: Path, why: str) -> Finding:
    return Finding("FF001", "error", str(path), f"cannot be read: {why}.", "Check the path.")


def _too_large(path: Path, size_bytes: int) -> Finding:
    what = f"has {size_bytes:,} bytes; at most {MAX_BYTES:,} are read."
    remedy = "Is it another file? Else shorten it: 1,000 cameras have about 300,000."
    return Finding("FF001", "error", str(path), what, remedy)


def _not_yaml(path: Path, error: YAMLError) -> Finding:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark else str(path)
    problem = str(getattr(error, "problem", None) or error).splitlines()[0]
    return Finding("FF002", "error", where, f"is not YAML: {problem}.", "Correct that line.")


def _distinct(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """One per key: `auto or a number` is a union, and pydantic reports each of its branches; a
    list with a wrong entry it calls too short as well."""
    seen: dict[Loc, ErrorDetails] = {}
    for detail in details:
        loc = tuple(step for step in detail["loc"] if not _is_branch(step))
        known = seen.get(loc)
        if known is None or known["type"] in {"literal_error", "none_required"}:
            seen[loc] = {**detail, "loc": loc}
    deeper = {loc[:depth] for loc in seen for depth in range(1, len(loc))}
    return [detail for loc, detail in seen.items() if loc not in deeper]


def _is_branch(step: int | str) -> bool:
    """Pydantic's names of a union's branches, which no file has as a key."""
    return isinstance(step, str) and bool(re.match(r"literal\[|constrained-|int$|str$", step))


def _finding(
    path: Path, tree: Any, model: type[BaseModel], detail: ErrorDetails
) -> list[tuple[int, Finding]]:
    """Findings of one of pydantic's errors, each with its line."""
    loc: Loc = detail["loc"]
    if detail["type"] == "value_error":
        return _contradictions(path, tree, loc, detail["msg"])
    line = line_of(tree, loc)
    where = f"{path}:{line}: {_spelled(loc)}"
    if detail["type"] == "extra_forbidden":
        return [(line, _unknown_key(where, loc, model))]
    choice = allowed(field_at(model, loc))
    if detail["type"] == "missing":
        return [(line, Finding("FF005", "error", where, "is missing.", f"Write {choice}."))]
    value = json.dumps(detail["input"], ensure_ascii=False, default=str)
    message = f"{value} is not allowed; allowed: {choice}."
    hint = unit_hint(str(loc[-1]) if loc else "", detail["input"])
    return [(line, Finding("FF004", "error", where, message, hint))]


def _contradictions(path: Path, tree: Any, record: Loc, message: str) -> list[tuple[int, Finding]]:
    """What a record's own validator says: `key: message` lines (see `Record.contradictions`)."""
    found = []
    for text in message.removeprefix("Value error, ").splitlines():
        key, _, what = text.partition(": ")
        loc = (*record, *key.split("."))
        line, where = line_of(tree, loc), _spelled(loc)
        found.append((line, Finding("FF006", "error", f"{path}:{line}: {where}", f"{what}.", "")))
    return found


def _spelled(loc: Loc) -> str:
    """`cameras[0].name`"""
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _unknown_key(where: str, loc: Loc, model: type[BaseModel]) -> Finding:
    parent = record_at(model, loc[:-1])
    names = list(parent.model_fields) if parent else []
    near = difflib.get_close_matches(str(loc[-1]), names, n=1, cutoff=0.6)
    remedy = f"Did you mean {near[0]}?" if near else "Remove it."
    message = f"is not a key here; allowed: {', '.join(sorted(names))}."
    return Finding("FF003", "error", where, message, remedy)


def record_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """The record type at a place of the file; the keys of a map of records are its user's."""
    current: type[BaseModel] | None = model
    is_key = False
    for step in loc:
        if isinstance(step, int) or current is None:
            continue
        if is_key:
            is_key = False
            continue
        field = current.model_fields.get(step)
        current = _record_in(field.annotation) if field else None
        is_key = field is not None and get_origin(field.annotation) is dict
    return current


def field_at(model: type[BaseModel], loc: Loc) -> Any:
    """The JSON Schema of the value at a place of the file, with its definitions resolved."""
    names = [step for step in loc if isinstance(step, str)]
    parent = record_at(model, tuple(names[:-1]))
    if not names or parent is None:
        return {}
    schema = parent.model_json_schema()
    found = schema.get("properties", {}).get(names[-1], {})
    return found.get("items", found) if loc and isinstance(loc[-1], int) else found


def _record_in(annotation: Any) -> type[BaseModel] | None:
    """The record inside `X | None`, `tuple[X, ...]` or `X` itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _record_in(part)
        if found:
            return found
    return None
