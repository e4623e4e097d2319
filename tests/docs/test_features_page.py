"""The page of the 25 features names verbs and tests that are there, and counts right."""

from __future__ import annotations

import re

import pytest
from checkout import PROJECT

from fanfold.reference.commands import commands

TEXT = (PROJECT / "docs/reference/features.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| \d+ \|", line)
]
VERBS = {path.partition(" ")[0] for path, _ in commands()}


def test_all_are_walked_and_the_sum_is_right() -> None:
    answers = [row[2] for row in ROWS]
    partly = [row[0] for row in ROWS if row[2] != "yes"]

    assert [row[0] for row in ROWS] == [str(n) for n in range(1, 26)]
    assert set(answers) <= {"yes", "partly", "no"}
    words = {20: "Twenty", 21: "Twenty-one", 22: "Twenty-two", 23: "Twenty-three",
             24: "Twenty-four", 25: "Twenty-five"}  # fmt: skip
    last = TEXT.strip().splitlines()[-1]
    assert last.startswith(f"{words[answers.count('yes')]} of twenty-five")
    assert re.findall(r"\((\d+)\)", last) == partly


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    _, _, _, where, shown = row

    assert set(re.findall(r"`fanfold (\w+)", where)) <= VERBS
    named = re.findall(r"`(tests/[^`]+)`", shown)
    assert named
    assert [path for path in named if not (PROJECT / path).exists()] == []
