"""The page of target v2 names tests that are there."""

from __future__ import annotations

import re

from checkout import PROJECT

TEXT = (PROJECT / "docs/reference/v2-features.md").read_text("utf-8")
LIFE = "tests/component/test_component_life.py"
"""Where a row names no file (the page says so)."""


def test_every_test_that_the_page_names_is_there() -> None:
    named = []
    for line in TEXT.splitlines():
        file = LIFE
        for path, function in re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", line):
            file = path or file
            named += [(file, function)] if path or function else []

    assert len(named) > 40
    assert [each for each in named if not is_there(*each)] == []


def is_there(path: str, function: str) -> bool:
    file = PROJECT / path
    return file.is_file() and (not function or f"def {function}(" in file.read_text("utf-8"))
