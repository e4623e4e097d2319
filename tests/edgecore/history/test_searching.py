"""A search whose time is over says how far it looked; its pages together are the whole answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from histories import T0, message, record, write

from edgecore.history import reader as reader_module
from edgecore.history import searching
from edgecore.history.query import Query
from edgecore.history.reader import Page, Reader, TooSlowError
from edgecore.history.schema import file_of

IMAGES = 600
EVERY = 7
"""One image in so many has the name that is looked for."""
LITTLE = 120
"""Asked so often a search is in some windows and not through."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("history")
    names = ["scratched" if seq % EVERY == 0 else "part" for seq in range(1, IMAGES + 1)]
    images = [
        message([record(seq, file=f"drop/cam1/{seq:04}-{name}.jpg")], T0 + seq // 3)
        for seq, name in enumerate(names, 1)
    ]
    write(state, *images)
    return file_of(state)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of few rows, and SQLite asks often whether the time is over."""
    monkeypatch.setattr(searching, "NEAR_ROWS", 30)
    monkeypatch.setattr(reader_module, "_OPCODES", 50)


def slow(path: Path, asked: int) -> Reader:
    """A search may go on as often as ``asked``; no clock is looked at."""
    count = itertools.count()
    return Reader(path, limit_s=asked, clock=lambda: float(next(count)))


def pages(path: Path, asked: int, query: Query) -> Iterator[Page]:
    before = None
    while True:
        found = slow(path, asked).search(Query(**{**vars(query), "before": before}))
        yield found
        if found.next is None:
            return
        t, number = found.next.split(".")
        before = int(t), int(number)


WANTED = [seq for seq in range(IMAGES, 0, -1) if seq % EVERY == 0]


@pytest.mark.parametrize(
    "query",
    [
        Query(name="*scratched*"),
        Query(name="*scratched*", limit=5),
        Query(name="*scratched*", since=T0 + 50, until=T0 + 150),
    ],
    ids=["all", "pages", "period"],
)
@pytest.mark.parametrize("asked", [LITTLE, 100_000])
def test_parts_of_a_search_together_are_what_one_with_time_finds(
    path: Path, small_steps: None, query: Query, asked: int
) -> None:
    whole = list(Reader(path).pages(query))
    parts = list(pages(path, asked, query))
    found = [r["seq"] for page in parts for r in page.records]

    assert found == [r["seq"] for page in whole for r in page]
    assert found == WANTED or query.since is not None
    assert asked == LITTLE or all(page.searched_to is None for page in parts)


def test_a_part_says_back_to_when_it_looked_and_has_all_since(
    path: Path, small_steps: None
) -> None:
    page = next(pages(path, LITTLE, Query(name="*scratched*")))
    assert page.searched_to is not None
    newer = [seq for seq in WANTED if T0 + seq // 3 >= page.searched_to]

    assert [r["seq"] for r in page.records] == newer
    assert 0 < len(newer) < len(WANTED)


def test_everything_is_exported_though_each_page_takes_too_long(
    path: Path, small_steps: None
) -> None:
    found = slow(path, LITTLE).pages(Query(name="*scratched*"))

    assert [r["seq"] for page in found for r in page] == WANTED


def test_a_search_that_gets_nowhere_says_what_to_narrow(path: Path, small_steps: None) -> None:
    with pytest.raises(TooSlowError, match="name a camera or a label"):
        slow(path, 1).search(Query(name="*scratched*"))
