"""How long it takes until everything works again: written down for the report, not asserted."""

from __future__ import annotations

import os
import signal
import time

from chaos_plant import Plant, Report

ROUNDS = 5


def test_a_killed_worker_works_again(plant: Plant, report: Report) -> None:
    plant.start()
    for number in range(ROUNDS):
        plant.recovery_s.append(_kill_worker(plant, f"w{number % 2}"))
        plant.send(10)
    report("worker killed, until it asks for work", plant)


def test_a_killed_core_is_ready_again(plant: Plant, report: Report) -> None:
    plant.start()
    for _ in range(ROUNDS):
        began = time.monotonic()
        plant.kill_core()
        plant.start()
        plant.recovery_s.append(time.monotonic() - began)
        plant.send(10)
    report("core killed, until it is ready", plant)


def _kill_worker(plant: Plant, name: str, deadline_s: float = 30) -> float:
    """Seconds from SIGKILL until the next process of the function has asked for work."""
    before = plant.functions()[name]["pid"]
    began = time.monotonic()
    os.kill(before, signal.SIGKILL)
    while time.monotonic() - began < deadline_s:
        now = plant.functions()[name]
        if now["state"] == "running" and now["pid"] not in (before, None):
            return time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError(now)
