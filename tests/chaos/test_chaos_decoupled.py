"""The promise with two stages: transform and inference functions killed, frozen, poisoned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos_plant import IN_HAND_MS, SOAK, Plant, Report
from chaos_shared import Shared, new_plant
from test_chaos import IMAGES, LOSSY, strike_while_images_flow

CASES: dict[str, dict[str, Any]] = {
    "transforms killed": {"functions": [{"function": "t*", "kill_at_s": [2, 4]}]},
    "inference killed": {"functions": [{"function": "w*", "kill_at_s": [2, 4]}]},
    "both stages killed": {
        "functions": [
            {"function": "t0", "kill_at_s": [2, 4]},
            {"function": "w1", "kill_at_s": [2, 5]},
        ]
    },
    "an inference function frozen": {"functions": [{"function": "w0", "freeze_at_s": [3]}]},
    "a transform function frozen": {"functions": [{"function": "t0", "freeze_at_s": [3]}]},
    "messages lost": {**LOSSY},
}


TWO_STAGES: dict[str, Any] = {
    "strategy": "decoupled", "workers": 2, "transforms": 2, "wait_ms": IN_HAND_MS,
}  # fmt: skip


@pytest.fixture
def plant(make_plant: Callable[..., Plant]) -> Iterator[Plant]:
    made = make_plant(**TWO_STAGES, timeouts={"worker_s": 5})
    yield made
    stopped_with_its_memory_free(made)


@pytest.fixture(scope="module")
def two_stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Of who crashes the successor's hello reports the signal: silence must not speak before it."""
    made: list[Plant] = []

    def make() -> Plant:
        folder = tmp_path_factory.mktemp("plant")
        made.append(new_plant(folder, **TWO_STAGES, timeouts={"worker_s": 30}))
        return made[-1]

    yield Shared(make)
    for plant in made:
        if plant.sound:
            stopped_with_its_memory_free(plant)
        plant.stop()


def stopped_with_its_memory_free(made: Plant) -> None:
    # Who was killed and is not back yet has nobody to tidy up after it before its next start.
    made.core.until(lambda status: {f["state"] for f in status["functions"]} == {"running"})
    made.stop()
    shared = {
        function.get("Environment", {}).get("Variables", {}).get("FANFOLD_SHM_DIR")
        for function in _configurations(made.folder)
    }
    for folder in filter(None, shared):
        left = {path.suffix for path in Path(folder).iterdir()}
        shutil.rmtree(folder)
        assert left <= {".fifo"}, f"memory left in {folder}: {left}"


def _configurations(folder: Path) -> list[dict[str, Any]]:
    document = json.loads((folder / "group-document.json").read_text())
    return [function["FunctionConfiguration"] for function in document["Functions"]]


LONG = ("transforms killed", "inference killed", "a transform function frozen")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=SOAK if case in LONG else ()) for case in CASES]
)
def test_every_image_ends_once_and_in_order(plant: Plant, report: Report, case: str) -> None:
    plan = {"seed": 21, **CASES[case]}
    plant.start(plan)
    plant.send(IMAGES)
    strike_while_images_flow(plant, plan)
    report(f"decoupled, {case}", plant)
    assert plant.verdict().failed == 0


def test_everything_killed_at_once_loses_nothing(two_stages: Shared, report: Report) -> None:
    plant = two_stages()
    plant.send(IMAGES, halfway=lambda: plant.kill_core(everything=True))
    report("decoupled, everything killed at once", plant)


def test_a_picture_that_ends_transform_functions_fails_alone(
    two_stages: Shared, report: Report
) -> None:
    plant = two_stages()
    failed, before = plant.verdict().failed, restarts(plant, "w0", "w1")
    plant.send(30)
    plant.send(1, poison="segfault")
    plant.send(30)
    report("decoupled, a picture that ends transform functions", plant)
    assert plant.verdict().failed == failed + 1
    assert restarts(plant, "w0", "w1") == before


def test_pictures_that_end_inference_functions_cost_two_of_them_each(
    two_stages: Shared, report: Report
) -> None:
    plant = two_stages()
    failed, before = plant.verdict().failed, restarts(plant, "w0", "w1")
    transforms_before = restarts(plant, "t0", "t1")
    plant.send(30)
    plant.send(3, poison="segfault after")
    plant.send(30)
    plant.verdict()
    plant.notes["worker_restarts"] = restarts(plant, "w0", "w1") - before
    report("decoupled, three pictures that end inference functions", plant)
    assert plant.verdict().failed == failed + 3
    assert plant.notes["worker_restarts"] <= 2 * 3
    assert restarts(plant, "t0", "t1") == transforms_before


def restarts(plant: Plant, *names: str) -> int:
    functions = plant.core.functions()
    return sum(functions[name]["restarts"] for name in names)
