"""Every system call of splitter and aggregator fails once: nothing lost, nothing twice."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from faulty_calls import FaultyCalls
from part_site import Site

ERRORS = ("EIO", "ENOSPC", "EMFILE")
EVENTS = {f"e{number}": 3 for number in range(6)}
#: Of the hundreds of calls of a run, in the short form.
SOME = {"EIO": 40, "ENOSPC": 5, "EMFILE": 20}


#: Whose calls fail, and below which folder.
PLACES = {"journal": "state/splitter", "images": "images", "store": "state/aggregator"}
#: Of the long form: 1 is every call. Others begin at another number for each error.
STRIDE = int(os.environ.get("FAULT_STRIDE", "1"))


def run(root: Path, place: str, calls: FaultyCalls, error: int, number: int) -> int:
    """One run in which the `number`-th call below the place's folder fails; how many there were."""
    below = root / PLACES[place]
    below.mkdir(parents=True)
    calls.nth(below, error, number)
    site = Site(root, **calls.environment)
    try:
        site.run(EVENTS, lambda: True)
    finally:
        site.stop()
        calls.none()
    total = sum(EVENTS.values())
    spans = sorted(site.accepted.values())
    assert [first for first, _ in spans] == [1 + 3 * n for n in range(len(EVENTS))]
    assert list(dict.fromkeys(r["seq"] for r in site.cloud)) == list(range(1, total + 1))
    assert {r["status"] for r in site.cloud} == {"ok"}
    return calls.counted()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("error", ERRORS)
def test_one_call_that_fails_costs_nothing(tmp_path: Path, place: str, error: str) -> None:
    calls = FaultyCalls(tmp_path / "faults")
    run(tmp_path, place, calls, getattr(errno, error), SOME[error])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.soak
@pytest.mark.parametrize("error", ERRORS)
def test_whichever_call_fails_costs_nothing(tmp_path: Path, place: str, error: str) -> None:
    number, reached, runs = 1 + ERRORS.index(error) * STRIDE // len(ERRORS), True, 0
    while reached:
        root = tmp_path / f"{number}"
        root.mkdir()
        calls = FaultyCalls(root / "faults")
        counted = run(root, place, calls, getattr(errno, error), number)
        reached = counted >= number
        runs += 1
        number += STRIDE
    print(f"{place} {error}: {runs} runs, {counted} calls in the last")
    assert runs > 1
