"""Every block of the guides is run or read by a test, in its order, or says why it is not."""

from __future__ import annotations

import re

import pytest
from guide_blocks import NOT_RUN, PROJECT, SHOWN, Walk, all_blocks, pages, to_run

#: What a test can do something with; `text` is for what is printed.
LANGUAGES = {"sh", "yaml", "json", "python", "ini", SHOWN}
WALKS = re.compile(r'Walk\("([^"]+)"\)')


def walked() -> list[str]:
    """The pages that tests walk, each as often as one does."""
    files = sorted((PROJECT / "tests" / "docs").glob("test_guides_*.py"))
    return [name for file in files for name in WALKS.findall(file.read_text("utf-8"))]


@pytest.mark.parametrize("name", pages())
def test_a_page_with_blocks_to_run_is_walked_by_one_test(name: str) -> None:
    assert walked().count(name) == bool(to_run(name)), [b.body for b in to_run(name)]


@pytest.mark.parametrize("name", pages())
def test_every_block_says_what_it_is(name: str) -> None:
    assert {block.language for block in all_blocks(name)} <= LANGUAGES


@pytest.mark.parametrize("name", sorted(NOT_RUN))
def test_what_is_not_run_is_there_and_its_reason_holds(name: str) -> None:
    for start, why in NOT_RUN[name].items():
        found = [b for b in all_blocks(name) if b.body.startswith(start)]
        assert len(found) == 1, start
        for test in re.findall(r"tests/[\w/.]*\w", why):
            assert (PROJECT / test).exists(), f"{start}: {test}"


def test_commands_do_not_hide_among_what_is_shown() -> None:
    """In a `text` block a line that begins with a verb of ours would be run by nobody."""
    hidden = [
        (name, line)
        for name in pages()
        for block in all_blocks(name)
        if block.language == SHOWN
        for line in block.body.splitlines()
        if re.match(r"(\$ )?(fanfold|npx|cdk|sudo|pip|make|python) ", line)
    ]

    assert hidden == []


def test_a_block_that_nobody_takes_fails_its_walk() -> None:
    with pytest.raises(AssertionError, match="nothing runs"), Walk("tutorial.md") as guide:
        guide.next()


def test_a_walk_is_in_the_order_of_the_page() -> None:
    with pytest.raises(AssertionError, match="not yaml"), Walk("history.md") as guide:
        guide.next("yaml")
