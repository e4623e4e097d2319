"""Every system call of splitter and aggregator fails once: nothing lost, nothing twice."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from faulty_calls import FaultyCalls
from part_site import Site
from splitter_kit import JPEG

ERRORS = ("EIO", "ENOSPC", "EMFILE")
EVENTS = {f"e{number}": 3 for number in range(6)}
#: Of the hundreds of calls of a run, in the short form.
SOME = (5, 40)


class FileSite(Site):
    """Cameras name files that are there."""

    def event(self, event: str, count: int) -> str:
        names = [f"cam1/{event}-{number}.jpg" for number in range(count)]
        for name in names:
            path = self.images / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(JPEG)
        return json.dumps({"v": 1, "id": event, "files": names})


def run(root: Path, part: str, calls: FaultyCalls, error: int, number: int) -> int:
    """One run in which the `number`-th call below the part's folder, or of the splitter below
    the images volume, fails; how many such calls there were."""
    FileSite.images = root / "images"
    below = root / "state" / part
    below.mkdir(parents=True)
    calls.nth(below if number % 2 or part == "aggregator" else root / "images", error, number)
    site = FileSite(root, **calls.environment)
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


@pytest.mark.parametrize("part", ["splitter", "aggregator"])
@pytest.mark.parametrize("number", SOME)
@pytest.mark.parametrize("error", ERRORS)
def test_one_call_that_fails_costs_nothing(
    tmp_path: Path, part: str, error: str, number: int
) -> None:
    calls = FaultyCalls(tmp_path / "faults")
    run(tmp_path, part, calls, getattr(errno, error), number)


@pytest.mark.parametrize("part", ["splitter", "aggregator"])
@pytest.mark.soak
@pytest.mark.parametrize("error", ERRORS)
def test_whichever_call_fails_costs_nothing(tmp_path: Path, part: str, error: str) -> None:
    number, reached = 1, True
    while reached:
        root = tmp_path / f"{number}"
        root.mkdir()
        calls = FaultyCalls(root / "faults")
        reached = run(root, part, calls, getattr(errno, error), number) >= number
        number += 1
