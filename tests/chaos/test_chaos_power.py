"""The power fails: what was not flushed is gone, what was accepted is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chaos_plant import SOAK, Plant, Report
from forgetful_disk import ForgetfulDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[ForgetfulDisk]:
    made = ForgetfulDisk(tmp_path / "disk")
    yield made
    made.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("cuts", [1, pytest.param(12, marks=SOAK)])
def test_what_was_accepted_survives_a_power_cut_whoever_wrote_the_file(
    disk: ForgetfulDisk,
    make_plant: Callable[..., Plant],
    report: Report,
    cuts: int,
) -> None:
    """Cameras sync nothing: their files are ours from `accepted` on, and so is syncing them.

    The far side is on the same disk, so that it forgets as well.
    """
    plant = make_plant(folder=disk.volume)
    chance = random.Random(7)
    plant.start()
    disk.sync()
    for number in range(cuts):

        def fails(number: int = number) -> None:
            # Else the core goes on promising between the cut and the kill.
            plant.core.freeze()
            disk.power_fails(number, chance.choice([0.0, 0.5, 0.9]))
            plant.core.kill(everything=True)
            disk.restart()
            plant.start()
            plant.redraw()

        plant.send(150, halfway=fails, deadline_s=180)
    report("power cut, files not synced by their camera", plant, runs=cuts)
