"""docs/where-to-change.md leads to rooms that are there, and to all of them."""

from __future__ import annotations

import re

import pytest
from checkout import PROJECT
from every import every

PAGE = PROJECT / "docs" / "where-to-change.md"
CHANGES = (
    "runtime", "retained", "16 bits", "Kafka", "metric", "NPU", "acknowledgement", "reorder buffer",
)  # fmt: skip


def rows() -> list[list[str]]:
    lines = [x for x in PAGE.read_text(encoding="utf-8").splitlines() if x.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_change_that_a_newcomer_looks_for_has_its_row():
    wanted = [change for change, *_ in rows()]

    assert len(wanted) == len(CHANGES)
    assert every(sought in row for sought, row in zip(CHANGES, wanted, strict=True))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_its_files_are_there_and_three_at_most(row):
    new = re.findall(r"\*`([\w./-]+)`\*", row[1])
    named = re.findall(r"`([\w./-]+/[\w.-]+)`", row[1])

    assert 1 <= len(named) <= 3
    for name in named:
        assert (PROJECT / name).exists() == (name not in new), name
        assert (PROJECT / name).parent.is_dir(), name


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_what_is_like_it_already_stands_in_no_other_file(row):
    sought, folder = re.fullmatch(r"`(.+)` in `([\w/]+)/`", row[2]).groups()
    named = set(re.findall(r"`([\w./-]+/[\w.-]+)`", row[1]))
    folders = {
        name.rsplit("/", 1)[0] for name in named if name in re.findall(r"\*`(.+?)`\*", row[1])
    }
    found = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / folder).rglob("*.py")
        if sought in path.read_text(encoding="utf-8")
    }
    # The file that is like the new one stands beside it.
    beside = {name for name in found if name.rsplit("/", 1)[0] in folders}

    assert found
    assert found - beside <= named
    assert len(beside - named) <= 1
