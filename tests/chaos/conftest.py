"""A plant per test, or one for rows that leave it as it was, and what it saw written below
build/chaos/ for the report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos_cloud import FarSide
from chaos_oracle import Verdict
from chaos_plant import Plant, Report
from chaos_shared import Shared, new_plant
from chaos_site import ROOT

from bench.machine import describe
from devcloud import process as devcloud

FOLDER = ROOT / "build" / "chaos"


@pytest.fixture
def make_plant(tmp_path: Path) -> Iterator[Callable[..., Plant]]:
    """A plant of which something differs from the defaults."""
    made: list[Plant] = []

    def make(**options: Any) -> Plant:
        made.append(new_plant(options.pop("folder", tmp_path), **options))
        return made[-1]

    yield make
    for plant in made:
        plant.stop()


@pytest.fixture
def plant(make_plant: Callable[..., Plant]) -> Plant:
    return make_plant()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """`shared()`: Fanfold's defaults."""
    plants = Shared(lambda: new_plant(tmp_path_factory.mktemp("plant")))
    yield plants
    plants.stop()


@pytest.fixture
def report() -> Report:
    def write(
        case: str, plant: Plant, more: Callable[[int], None] | None = None, runs: int = 1
    ) -> None:
        plant.verdict()
        # Records come in order: what follows everything shows that nothing came twice.
        (more or plant.send)(2)
        write_down(case, plant, plant.verdict(), runs)

    return write


def write_down(case: str, plant: Plant, verdict: Verdict, runs: int = 1) -> None:
    """Leave the run for the report, then assert it."""
    _write(
        case,
        runs=runs,
        images=len(plant.sent) - plant.reported,
        lost=len(verdict.missing),
        duplicates=len(verdict.duplicated) + len(verdict.contradicted),
        out_of_order=verdict.out_of_order,
        wrong_content=len(verdict.wrong_content),
        failed=verdict.failed - plant.failed_before,
        gaps=verdict.gaps - plant.gaps_before,
        recovery_s=plant.recovery_s,
        notes=plant.notes,
    )
    plant.reported = len(plant.sent)
    plant.failed_before, plant.gaps_before = verdict.failed, verdict.gaps
    assert verdict.clean, verdict
    plant.sound = True


def _write(case: str, **figures: Any) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{case.replace(' ', '-').replace(',', '').replace('/', '-')}.json"
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    run = {"fault": case, **figures, "time": when, "machine": describe()}
    path.write_text(json.dumps(run, indent=1) + "\n")


@pytest.fixture
def write_note() -> Callable[..., None]:
    """The report of a run without a plant: figures by name, of which three must be 0."""

    def write(case: str, **figures: Any) -> None:
        given = {"runs": 1, "wrong_content": 0, "failed": 0, "gaps": 0, "recovery_s": [], **figures}
        _write(case, **given)
        assert (given["lost"], given["duplicates"], given["out_of_order"]) == (0, 0, 0), given

    return write


@pytest.fixture(scope="module")
def far_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarSide]:
    """A development cloud of its own, empty at first."""
    cloud = devcloud.start(port=0, state_dir=tmp_path_factory.mktemp("cloud") / "devcloud")
    yield FarSide(cloud)
    cloud.stop()
