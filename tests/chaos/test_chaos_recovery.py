"""How long it takes until everything works again, and what faults cost in throughput.

Written down for the report. Only the promises that hold on any machine are asserted.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from chaos_plant import SOAK, Plant, Report
from chaos_shared import Shared

few_or_many = pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=SOAK)])
WAIT_MS = 20
WORKERS = 4
IMAGES = 20_000


@few_or_many
def test_a_killed_worker_works_again(shared: Shared, report: Report, rounds: int) -> None:
    plant = shared()
    for number in range(rounds):
        plant.send(40)
        plant.recovery_s.append(_strike(plant, f"w{number % 2}", signal.SIGKILL))
    report("worker killed, until it asks for work", plant, runs=rounds)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_core_killed_a_hundred_times_is_ready_again(shared: Shared, report: Report) -> None:
    """`make chaos` has one kill, with images under way: test_chaos.py, `core killed`."""
    plant = shared()
    for _ in range(100):
        plant.kill_core()
        plant.send(10)
    report("core killed, until it is ready", plant, runs=100)


@pytest.mark.parametrize("part", ["splitter", "aggregator"])
def test_a_part_killed_alone_leaves_the_core_ready_again(
    shared: Shared, report: Report, part: str
) -> None:
    plant = shared()
    plant.send(40)
    plant.recovery_s.append(_strike(plant, part, signal.SIGKILL))
    core = plant.core.running()
    assert core is not None
    back = time.time()  # what the stats said before is the earlier process's word

    def told_since(status: dict[str, Any]) -> bool:
        return bool(status["stats"].get(part, {}).get("t", 0) > back)

    plant.core.until(lambda status: told_since(status) and core.ready())
    report(f"{part} killed alone, until it asks for work", plant)


@few_or_many
def test_a_hung_worker_is_found(
    make_plant: Callable[..., Plant], report: Report, rounds: int
) -> None:
    """From SIGSTOP until its next process asks for work; the timeout is 3 s, 2 s are margin."""
    plant = make_plant(timeouts={"worker_s": 3})
    plant.start()
    for number in range(rounds):
        plant.send(40)
        plant.recovery_s.append(_strike(plant, f"w{number % 2}", signal.SIGSTOP))
    report("worker frozen, timeout 3 s, until its next process asks for work", plant, runs=rounds)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_one_kill_a_second_costs_little_throughput(
    make_plant: Callable[..., Plant], report: Report
) -> None:
    """The same images on the same plant, first in peace, then with a kill every second; where a
    worker takes longer to start, a kill in that time: else the machine would be measured.
    `make chaos` has the kills without the comparison: test_chaos.py, `workers killed`."""
    plant = make_plant(wait_ms=WAIT_MS, workers=WORKERS)
    plant.start()
    plant.send(100)
    plant.verdict()
    quiet = _images_per_s(plant, IMAGES)
    every_s = round(max(1.0, *(_strike(plant, f"w{n}", signal.SIGKILL) for n in range(2))), 1)
    plant.stop()
    plant.start({"seed": 9, "functions": [{"function": "w*", "kill_every_s": every_s}]})
    plant.send(100)
    plant.verdict()
    hostile = _images_per_s(plant, IMAGES)
    plant.notes["images_per_s_quiet"] = round(quiet, 1)
    plant.notes["images_per_s_one_kill_a_second"] = round(hostile, 1)
    plant.notes["seconds_between_kills"] = every_s
    plant.notes["share"] = round(hostile / quiet, 3)
    plant.notes["kills"] = plant.strikes()
    states = [f["state"] for f in plant.core.functions().values()]
    plant.notes["in_crash_loop"] = states.count("crash_loop")
    report("one worker of four killed every second", plant, runs=plant.strikes())


def _images_per_s(plant: Plant, images: int) -> float:
    """From the first event until the last record is in the cloud."""
    began, deadline_s = time.monotonic(), max(90, images / 10)
    plant.send(images, deadline_s)
    assert not plant.verdict(deadline_s).missing
    return images / (time.monotonic() - began)


def _strike(plant: Plant, name: str, number: signal.Signals, deadline_s: float = 60) -> float:
    """Seconds from the signal until the next process of the function has asked for work."""
    before = plant.core.functions()[name]["pid"]
    began = time.monotonic()
    os.kill(before, number)
    while time.monotonic() - began < deadline_s:
        if number is signal.SIGSTOP:
            plant.send(4)
        now = plant.core.functions()[name]
        if now["state"] == "running" and now["pid"] not in (before, None):
            return time.monotonic() - began
        time.sleep(0.25 if number is signal.SIGSTOP else 0.05)  # a hang takes seconds to be found
    raise AssertionError(now)
