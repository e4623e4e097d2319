"""The promise with two stages, in virtual time and over real rings."""

from __future__ import annotations

import pytest
from seeds import seeds
from sim import Hostility
from sim_decoupled import DecoupledSim
from sim_oracle import CLEAN

PARTS = ("splitter", "aggregator", "t0", "t1", "w0", "w1")


def test_a_quiet_core_delivers_everything_once_and_in_order(tmp_path):
    sim = DecoupledSim(tmp_path)
    sim.manifest("cam1", "m1", 150)
    sim.manifest("cam2", "m2", 50)
    sim.settle()

    assert sim.verdict() == CLEAN
    assert sim.verdict(sim.local) == CLEAN
    assert sim.aggregator.duplicates == 0


@seeds(3, 5)
def test_kills_of_every_part_on_a_core_with_injected_faults_lose_nothing(tmp_path, seed):
    hostile = Hostility(drop=0.05, duplicate=0.05, delay=0.2, refuse=0.02)
    sim = DecoupledSim(tmp_path, seed, hostile)
    for n in range(20):
        sim.manifest("cam1", f"a{n}", 15)
        sim.manifest("cam2", f"b{n}", 3)
        sim.run(sim.random.uniform(0.1, 0.6))
        for part in sim.random.sample(PARTS, sim.random.choice([1, 1, 2, 3])):
            if getattr(sim, part, None) is not None or part not in PARTS[:2]:
                sim.kill(part)
        sim.run(0.4)
    sim.settle()

    report = sim.verdict()
    assert {**report, "duplicates": 0} == CLEAN
    assert {r["status"] for r in sim.cloud} <= {"ok", "gap"}


@pytest.mark.parametrize(("stage", "ended"), [("poison", 2), ("poison_of_transform", 0)])
def test_an_image_that_ends_functions_of_one_stage_fails_alone(tmp_path, stage, ended):
    sim = DecoupledSim(tmp_path)
    sim.run(40.0)
    setattr(sim, stage, {"m1/30"})
    sim.manifest("cam1", "m1", 80)
    sim.settle()

    failed = [r for r in sim.cloud if r["status"] == "failed"]
    assert [(r["id"], r["reason"]) for r in failed] == [("m1/30", "killed_workers")]
    assert sum(one.restarts for one in sim.inference.values()) == ended
    assert (sum(w.restarts for w in sim.workers.values()) == 0) == (stage == "poison")
    assert sim.verdict() == CLEAN


@pytest.mark.parametrize(("core_reports_ends", "ends"), [(False, 5), (True, 2)])
def test_several_killers_of_inference_functions_each_cost_few(tmp_path, core_reports_ends, ends):
    sim = DecoupledSim(tmp_path)
    sim.core_reports_ends = core_reports_ends
    sim.poison = {"m1/3", "m1/4", "m1/90", "m2/0"}
    sim.manifest("cam1", "m1", 120)
    sim.manifest("cam2", "m2", 20)
    sim.settle()

    assert {r["id"] for r in sim.cloud if r["status"] == "failed"} == sim.poison
    assert sum(one.restarts for one in sim.inference.values()) <= ends * len(sim.poison)
    assert sim.verdict() == CLEAN


@pytest.mark.parametrize("core_reports_ends", [False, True])
def test_killers_of_both_stages_in_one_burst_all_end_as_failed(tmp_path, core_reports_ends):
    sim = DecoupledSim(tmp_path)
    sim.core_reports_ends = core_reports_ends
    sim.poison, sim.poison_of_transform = {"m1/3", "m1/90"}, {"m1/4", "m2/0"}
    sim.manifest("cam1", "m1", 120)
    sim.manifest("cam2", "m2", 20)
    sim.settle()

    failed = {r["id"] for r in sim.cloud if r["status"] == "failed"}
    assert failed == sim.poison | sim.poison_of_transform
    assert sim.verdict() == CLEAN


def test_a_frozen_inference_function_holds_nobody_up(tmp_path):
    sim = DecoupledSim(tmp_path)
    sim.service_s = 0.05
    sim.manifest("cam1", "m1", 40)
    sim.run(1.5)
    sim.freeze("w1", 60.0)
    sim.run(30.0)

    assert not sim.splitter.backlog.outstanding
    assert sim.verdict() == CLEAN
    sim.run(40.0)
    sim.manifest("cam1", "m2", 40)
    sim.settle()
    assert sim.verdict() == CLEAN


@pytest.mark.parametrize("down_s", [20.0, 400.0])
def test_an_outage_of_every_inference_function_quarantines_no_image(tmp_path, down_s):
    sim = DecoupledSim(tmp_path)
    sim.manifest("cam1", "m1", 60)
    sim.run(0.6)
    for name in ("w0", "w1"):
        sim.kill(name, down_s)
    sim.run(down_s)
    sim.settle()

    assert sim.verdict() == CLEAN
    assert {r["status"] for r in sim.cloud} <= {"ok", "gap"}
