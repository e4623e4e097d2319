"""Pages that say line by line what shows a promise name tests that are there."""

from __future__ import annotations

import re

import pytest
from checkout import PROJECT

#: Page → the file where a row names none (the page says so).
PAGES = {
    "v2-features.md": "tests/component/test_component_life.py",
    "beyond-one-machine.md": "",
    "true-results.md": "",
    "living-aws.md": "",
    "custody.md": "",
}


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_the_page_names_is_there(page: str) -> None:
    named = []
    for line in (PROJECT / "docs/reference" / page).read_text("utf-8").splitlines():
        file = PAGES[page]
        for path, function in re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", line):
            file = path or file
            named += [(file, function)] if path or function else []

    assert len(named) > 40
    assert [each for each in named if not is_there(*each)] == []


def is_there(path: str, function: str) -> bool:
    file = PROJECT / path
    return file.is_file() and (not function or f"def {function}(" in file.read_text("utf-8"))
