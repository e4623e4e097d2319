"""Images that end the worker that reads them: each fails once, the others do not notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from chaos_plant import Plant, Report
from chaos_shared import Shared, new_plant

#: In company and alone (lambdas/common/poison.py), for who crashes: the core sees that.
CRASHES = 2
#: Who hangs looks like who is frozen from outside: each end of a worker without the image, up
#: to three, asks for one more trial. The core's start counts as one.
HANGS = 5


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Of who crashes the successor's hello reports the signal: silence must not speak before it."""
    plants = Shared(lambda: new_plant(tmp_path_factory.mktemp("patient"), max_wait_s=60))
    yield plants
    plants.stop()


def test_an_image_that_crashes_its_worker_fails_once_and_ends_two(
    patient: Shared, report: Report
) -> None:
    plant = patient()
    fails_alone(plant, "segfault", 2, CRASHES, report)


def test_an_image_that_hangs_its_worker_fails_once_and_ends_few(
    make_plant: Callable[..., Plant], report: Report
) -> None:
    plant = make_plant(timeouts={"worker_s": 2}, max_wait_s=60)
    plant.start()
    fails_alone(plant, "frozen", 1, HANGS, report)


def fails_alone(plant: Plant, poison: str, count: int, ends: int, report: Report) -> None:
    failed, restarts = plant.verdict().failed, plant.restarts()
    for _ in range(count):
        plant.send(40)
        plant.send(1, poison=poison)
        failed += 1
        plant.core.until(lambda _: plant.verdict().failed == failed)  # noqa: B023
    plant.notes["worker_restarts"] = plant.restarts() - restarts
    report(f"images that leave a worker {poison}", plant, runs=count)
    assert plant.verdict().failed == failed
    assert plant.restarts() - restarts <= ends * count
    states = {f["id"]: f["state"] for f in plant.core.functions().values()}
    assert "crash_loop" not in states.values(), states


def test_poison_images_that_come_together_end_two_workers_each(
    patient: Shared, report: Report
) -> None:
    plant = patient()
    failed, restarts = plant.verdict().failed, plant.restarts()
    plant.send(40)
    plant.send(3, poison="segfault")
    plant.send(40)
    plant.core.until(lambda _: plant.verdict().failed == failed + 3)
    plant.notes["worker_restarts"] = plant.restarts() - restarts
    report("three images together that leave a worker segfault", plant, runs=3)
    assert plant.verdict().failed == failed + 3
    assert plant.restarts() - restarts <= CRASHES * 3


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_one_in_a_hundred_is_poison_and_the_others_do_not_notice(
    make_plant: Callable[..., Plant], report: Report
) -> None:
    plant = make_plant(timeouts={"worker_s": 5}, max_wait_s=300, workers=4)
    plant.start()
    for _ in range(100):
        plant.send(99)
        plant.send(1, poison="segfault")
    plant.verdict(deadline_s=900)
    plant.notes["worker_restarts"] = plant.restarts()
    report("1 of 100 images is poison", plant, runs=100)
    assert plant.verdict().failed == 100
    assert plant.restarts() <= CRASHES * 100
