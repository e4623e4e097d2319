"""The promise, in virtual time: every accepted image ends once, in order, whatever happens."""

from __future__ import annotations

import pytest
from sim import CLEAN, Hostility, Sim


def test_a_quiet_core_delivers_everything_in_order(tmp_path):
    sim = Sim(tmp_path)
    sim.manifest("cam1", "m1", 200)
    sim.manifest("cam2", "m2", 100)
    sim.settle()

    assert sim.verdict() == CLEAN
    assert sim.verdict(sim.local) == CLEAN
    assert sum(w.handled for w in sim.workers.values()) == 300


@pytest.mark.parametrize("seed", range(6))
def test_a_hostile_core_loses_nothing(tmp_path, seed):
    hostile = Hostility(drop=0.1, duplicate=0.1, delay=0.3, delay_s=1.0, refuse=0.05)
    sim = Sim(tmp_path, seed, hostile)
    for n in range(5):
        sim.manifest("cam1", f"a{n}", 60)
        sim.manifest("cam2", f"b{n}", 7)
        sim.run(1.0)
    sim.settle()

    assert sim.verdict() == CLEAN
    assert sim.verdict(sim.local + sim.late) == CLEAN


@pytest.mark.parametrize("seed", range(8))
def test_kills_of_every_part_lose_nothing(tmp_path, seed):
    sim = Sim(tmp_path, seed, Hostility(drop=0.03, duplicate=0.05, delay=0.2))
    for n in range(30):
        sim.manifest("cam1", f"a{n}", 20)
        sim.manifest("cam2", f"b{n}", 3)
        sim.run(sim.random.uniform(0.1, 0.6))
        sim.kill(sim.random.choice(["splitter", "aggregator", "w0", "w1", "w2"]))
        sim.run(0.4)
    sim.settle()

    report = sim.verdict()
    assert {**report, "duplicates": 0} == CLEAN
    assert {r["status"] for r in sim.cloud} <= {"ok", "gap"}
