"""Images that end the worker that reads them: each fails once, the others do not notice."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from chaos_plant import Plant, Report

#: Two in peace; each end of a worker without the image, up to three, asks for one more trial
#: (lambdas/splitter/blame.py). The core's start counts as one.
ENDS = 5
IMAGES = int(os.environ.get("CHAOS_POISON_IMAGES", "120"))


@pytest.mark.parametrize("poison", ["segfault", "frozen"])
def test_poison_fails_once_and_ends_few_workers(
    make_plant: Callable[..., Plant], report: Report, poison: str
) -> None:
    plant = make_plant(timeouts={"worker_s": 2}, max_wait_s=60)
    plant.start()
    count = 3 if poison == "segfault" else 1
    for number in range(count):
        plant.send(IMAGES // count)
        plant.send(1, poison=poison)
        failed = number + 1
        plant.core.until(lambda _: plant.verdict().failed == failed)  # noqa: B023
    plant.notes["worker_restarts"] = plant.restarts()
    report(f"images that leave a worker {poison}", plant, runs=count)
    assert plant.verdict().failed == count
    assert plant.restarts() <= ENDS * count
    states = {f["id"]: f["state"] for f in plant.core.functions().values()}
    assert "crash_loop" not in states.values(), states
