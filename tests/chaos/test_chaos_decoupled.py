"""The promise with two stages: transform and inference functions killed, frozen, poisoned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos_plant import IN_HAND_MS, SOAK, Plant, Report
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


@pytest.fixture
def plant(make_plant: Callable[..., Plant]) -> Iterator[Plant]:
    made = make_plant(
        strategy="decoupled", workers=2, transforms=2, timeouts={"worker_s": 5}, wait_ms=IN_HAND_MS
    )
    yield made
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


def test_everything_killed_at_once_loses_nothing(plant: Plant, report: Report) -> None:
    plant.start()
    plant.send(IMAGES, halfway=lambda: plant.kill_core(everything=True))
    report("decoupled, everything killed at once", plant)


def test_a_picture_that_ends_transform_functions_fails_alone(plant: Plant, report: Report) -> None:
    plant.start()
    plant.send(30)
    plant.send(1, poison="segfault")
    plant.send(30)
    report("decoupled, a picture that ends transform functions", plant)
    assert plant.verdict().failed == 1
    functions = plant.core.functions()
    assert [functions[name]["restarts"] for name in ("w0", "w1")] == [0, 0]


def test_pictures_that_end_inference_functions_cost_two_of_them_each(
    plant: Plant, report: Report
) -> None:
    plant.deploy(timeouts={"worker_s": 30})
    plant.start()
    plant.send(30)
    plant.send(3, poison="segfault after")
    plant.send(30)
    plant.verdict()
    functions = plant.core.functions()
    plant.notes["worker_restarts"] = sum(functions[name]["restarts"] for name in ("w0", "w1"))
    report("decoupled, three pictures that end inference functions", plant)
    assert plant.verdict().failed == 3
    assert plant.notes["worker_restarts"] <= 2 * 3
    assert [functions[name]["restarts"] for name in ("t0", "t1")] == [0, 0]
