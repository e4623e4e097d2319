"""What is nested too deep is told from its text, and nothing that people write is."""

from __future__ import annotations

import json

import pytest
from checkout import PROJECT

from contract.nesting import MAX_DEPTH, json_of, too_deep


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a": ', "}"), ("{a: ", "}")])
def test_the_limit_is_the_first_depth_that_is_refused(opens: str, closes: str) -> None:
    def nested(depth: int) -> str:
        return "a: " + opens * depth + "x" + closes * depth

    assert not too_deep(nested(MAX_DEPTH))
    assert too_deep(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "line", ["- '['", '- "[ \\" ["', "# [ once more", "- x  # [", "- [x]", "- don't [y]"]
)
def test_brackets_of_words_and_comments_are_no_depth(line: str) -> None:
    assert not too_deep(f"{line}\n" * (2 * MAX_DEPTH))


def test_no_file_of_this_project_is_too_deep() -> None:
    files = [
        path
        for folder in ("sites", "device_profiles", "schemas", "tests/infra/planning/golden")
        for path in (PROJECT / folder).rglob("*")
        if path.suffix in {".yaml", ".json"}
    ]

    assert len(files) > 10
    assert [path for path in files if too_deep(path.read_text("utf-8"))] == []


def test_json_is_read_or_refused_as_a_value() -> None:
    assert json_of('{"a": [1]}') == {"a": [1]}
    for text in ("[" * 100_000, json.dumps("x")[:-1]):
        with pytest.raises(ValueError, match=r"nested more than 100 deep|Unterminated"):
            json_of(text)
