"""The wall clock of every process jumps while images flow, and while nothing does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from chaos_plant import Plant, Report
from shims import shim

HOUR_S = 3600
JUMPS_S = {"an hour back": -HOUR_S, "an hour on": HOUR_S, "ten years on": 10 * 365 * 24 * HOUR_S}


@pytest.mark.parametrize("jump", JUMPS_S)
def test_a_clock_that_jumps_delays_and_loses_nothing(
    make_plant: Callable[..., Plant], report: Report, tmp_path: Path, jump: str
) -> None:
    plant, offset = make_plant(), tmp_path / "offset"
    offset.write_text("0")
    plant.core.preload({"LD_PRELOAD": str(shim("clock")), "CLOCK_OFFSET_FILE": str(offset)})
    plant.start()
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
