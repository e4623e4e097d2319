"""Modules, classes and functions bear the field's names (docs/glossary.md), no private metaphor."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from checkout import PROJECT

PACKAGES = (
    "contract", "lambdas", "infra", "edgecore", "device", "devcloud", "fanfold", "replay", "models",
)  # fmt: skip
RETIRED = re.compile(
    r"(heart|beats?|pulse|desk|bells?|blamed?|guilty|convict|doorman|knock|len[dt]|outlets?|taps"
    r"|examiner|mends?|tells?|told|says?|said|hostile|patience|doors?|shelf|seat|prov(e|es|ing))"
)


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def names() -> Iterator[tuple[str, str]]:
    """(where, name) of every module, class and function."""
    for package in PACKAGES:
        for path in sorted((PROJECT / package).rglob("*.py")):
            where = path.relative_to(PROJECT).as_posix()
            yield where, path.stem
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{where}:{node.lineno}", node.name


def is_retired(name: str) -> bool:
    return any(map(RETIRED.fullmatch, words(name)))


def test_no_name_is_a_word_that_the_glossary_has_another_for() -> None:
    found = list(names())

    assert len(found) > 5_000
    assert [f"{where} {name}" for where, name in found if is_retired(name)] == []


def test_a_name_that_is_one_would_be_found() -> None:
    assert is_retired("_tell_devices")
    assert is_retired("PeoplesDoor")
    assert not is_retired("bellows")
