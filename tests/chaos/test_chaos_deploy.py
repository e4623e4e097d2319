"""Deployments into a running core while images flow: nothing lost, and each model has its time.

One core and one cloud for all rows.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chaos_cloud import FarSide
from chaos_flow import Flow, versions
from chaos_plant import SOAK, Plant, Report
from chaos_shared import Shared, new_plant


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, far_side: FarSide) -> Iterator[Shared]:
    def make() -> Plant:
        plant = new_plant(tmp_path_factory.mktemp("plant"))
        plant.use_cloud(far_side, deploys=True)
        return plant

    plants = Shared(make)
    yield plants
    plants.stop()


@pytest.fixture
def plant(deployed: Shared) -> Plant:
    return deployed()


def runs_version(version: str) -> Callable[[dict[str, Any]], bool]:
    """The core runs this group, and every worker of it said hello."""

    def holds(status: dict[str, Any]) -> bool:
        ready = all(f["state"] == "running" for f in status["functions"])
        return ready and status["group"]["version"] == version

    return holds


@pytest.mark.parametrize("swaps", [2, pytest.param(50, marks=SOAK)])
def test_new_models_and_a_new_number_of_workers_while_images_flow(
    plant: Plant, report: Report, swaps: int
) -> None:
    wanted, first = [plant.version], len(plant.sent)
    with Flow(plant) as flow:
        for number in range(1, swaps + 1):
            wanted.append(f"1.1.{number}")
            version = plant.deploy(version=wanted[-1], workers=2 + number % 2)
            began = time.monotonic()
            plant.core.until(runs_version(version))
            plant.recovery_s.append(time.monotonic() - began)
            seen = len(plant.sent)
            while len(plant.sent) < seen + 30:
                flow.check()
                time.sleep(0.05)
    report("new model and worker count in a running core", plant, runs=swaps)
    for stream in ("cam1", "cam2"):
        # Where all begins anew, an image that was in hand is the new model's, and the one behind
        # it may have been answered already.
        assert list(dict.fromkeys(versions(plant, stream, first))) == wanted


def test_a_model_that_no_worker_can_load_is_rolled_back_while_images_flow(
    plant: Plant, report: Report
) -> None:
    first = len(plant.sent)
    good = plant.core.status()["group"]["version"]
    with Flow(plant):
        began = time.monotonic()
        plant.deploy(version="9.9.9", sound=False)
        plant.core.until(lambda s: _rolled_back(s) and runs_version(good)(s))
        plant.recovery_s.append(time.monotonic() - began)
        time.sleep(1)
    report("bad model deployed into a running core", plant)
    for stream in ("cam1", "cam2"):
        assert versions(plant, stream, first) == [plant.version]


def _rolled_back(status: dict[str, Any]) -> bool:
    return any(entry["outcome"] == "rolled back" for entry in status["group"]["history"])


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=SOAK)])
def test_a_core_killed_in_a_deployment_starts_as_the_old_group_or_the_new(
    plant: Plant, report: Report, kills: int
) -> None:
    moments = random.Random(11)
    for number in range(kills):
        old = plant.core.status()["group"]["version"]
        plant.send(20)
        new = plant.deploy(version=f"2.0.{number}")
        time.sleep(moments.uniform(0.2, 2.0))  # the point of the exercise: any moment
        family_before = plant.core.kill()
        # Without the cloud's word the core starts as what its disk says.
        plant.core.arguments, online = _offline(plant.core.arguments), plant.core.arguments
        plant.core.start()
        assert plant.core.status()["group"]["version"] in (old, new)
        plant.core.stop()
        plant.core.arguments = online
        plant.core.start()
        plant.core.until(runs_version(new))
        assert not [p for p in family_before if p.is_running() and p.status() != "zombie"]
    report("core killed in the middle of a deployment", plant, runs=kills)


def _offline(arguments: tuple[str, ...]) -> tuple[str, ...]:
    dead = "http://localhost:9"
    return tuple(dead if a.startswith("http://localhost") else a for a in arguments)
