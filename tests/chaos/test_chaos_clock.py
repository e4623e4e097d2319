"""The wall clock of every process jumps while images flow, and while nothing does.

One core for all jumps.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chaos_plant import Plant, Report
from chaos_shared import Shared, new_plant
from shims import shim

HOUR_S = 3600
JUMPS_S = {"an hour back": -HOUR_S, "an hour on": HOUR_S, "ten years on": 10 * 365 * 24 * HOUR_S}


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Plants whose clock is as far off as their file `offset` says."""

    def make() -> Plant:
        plant = new_plant(tmp_path_factory.mktemp("clocked"))
        offset = plant.folder / "offset"
        offset.write_text("0")
        plant.core.preload({"LD_PRELOAD": str(shim("clock")), "CLOCK_OFFSET_FILE": str(offset)})
        return plant

    plants = Shared(make)
    yield plants
    plants.stop()


@pytest.mark.parametrize("jump", JUMPS_S)
def test_a_clock_that_jumps_delays_and_loses_nothing(
    clocked: Shared, report: Report, jump: str
) -> None:
    plant = clocked()
    offset = plant.folder / "offset"
    plant.send(100, halfway=lambda: offset.write_text(str(JUMPS_S[jump])))
    plant.verdict()
    # Idle: whoever waits on the wall clock now stands still for as long as it was set back.
    offset.write_text(str(2 * JUMPS_S[jump]))
    plant.send(40, deadline_s=30)
    assert not plant.verdict(deadline_s=30).missing
    core = plant.core.running()
    assert core is not None
    plant.core.until(lambda _: core.ready(), deadline_s=20)
    offset.write_text("0")
    plant.send(40)
    report(f"clock set {jump}, on real processes", plant)
