"""Images that end the worker that reads them: each fails once, the others do not notice."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from chaos_plant import Plant, Report

IMAGES = int(os.environ.get("CHAOS_POISON_IMAGES", "120"))


@pytest.mark.parametrize("poison", ["segfault", "frozen"])
def test_poison_fails_once_and_ends_two_workers_at_most(
    make_plant: Callable[..., Plant], report: Report, poison: str
) -> None:
    plant = make_plant(timeouts={"worker_s": 2}, max_wait_s=60)
    plant.start()
    count = 3 if poison == "segfault" else 1
    for _ in range(count):
        plant.send(IMAGES // count // 2)
        plant.send(1, poison=poison)
        plant.send(IMAGES // count // 2)
    report(f"images that leave a worker {poison}", plant)
    assert plant.verdict().failed == count
    functions = plant.core.functions().values()
    assert sum(f["restarts"] for f in functions) <= 2 * count
    assert not [f["id"] for f in functions if f["state"] == "crash_loop"]
