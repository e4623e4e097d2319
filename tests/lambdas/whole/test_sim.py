"""The promise, in virtual time: every accepted image ends once, in order, whatever happens."""

from __future__ import annotations

import pytest
from seeds import seeds
from sim import Hostility, Sim
from sim_oracle import CLEAN


def test_a_quiet_core_delivers_everything_in_order(tmp_path):
    sim = Sim(tmp_path)
    sim.manifest("cam1", "m1", 200)
    sim.manifest("cam2", "m2", 100)
    sim.settle()

    assert sim.verdict() == CLEAN
    assert sim.verdict(sim.local) == CLEAN
    assert sum(w.handled for w in sim.workers.values()) == 300


@seeds(3, 6)
def test_a_core_with_injected_faults_loses_nothing(tmp_path, seed):
    hostile = Hostility(drop=0.1, duplicate=0.1, delay=0.3, delay_s=1.0, refuse=0.05)
    sim = Sim(tmp_path, seed, hostile)
    for n in range(5):
        sim.manifest("cam1", f"a{n}", 60)
        sim.manifest("cam2", f"b{n}", 7)
        sim.run(1.0)
    sim.settle()

    assert sim.verdict() == CLEAN
    assert sim.verdict(sim.local + sim.late) == CLEAN


@seeds(3, 8)
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


@seeds(3, 6)
def test_parts_that_end_in_the_middle_of_a_step_lose_nothing(tmp_path, seed):
    sim = Sim(tmp_path, seed, Hostility(drop=0.03, duplicate=0.05, delay=0.2, dies=0.02))
    for n in range(20):
        sim.manifest("cam1", f"a{n}", 20)
        sim.run(0.5)
    sim.hostility = Hostility()
    sim.settle()

    assert {**sim.verdict(), "duplicates": 0} == CLEAN


@seeds(1, 3)
def test_an_aggregator_that_ends_again_and_again_while_it_drains_loses_nothing(tmp_path, seed):
    sim = Sim(tmp_path, seed)
    sim.cloud_takes = False
    sim.manifest("cam1", "m1", 3_000)
    sim.run(15.0)
    assert not sim.cloud
    sim.cloud_takes, sim.hostility = True, Hostility(dies=0.3)
    sim.run(5.0)
    sim.hostility = Hostility()
    sim.settle()

    assert {**sim.verdict(), "duplicates": 0} == CLEAN
    assert len({r["seq"] for r in sim.cloud}) == 3_000


def one_killer_fails_alone(sim):
    """Among 80 images of a plant at work, at the price of two workers' lives."""
    sim.run(40.0)
    sim.poison = {"m1/30"}
    sim.manifest("cam1", "m1", 80)
    sim.settle()

    failed = [r for r in sim.cloud if r["status"] == "failed"]
    assert [(r["id"], r["reason"]) for r in failed] == [("m1/30", "killed_workers")]
    assert sum(w.restarts for w in sim.workers.values()) == 2
    assert sim.verdict() == CLEAN


def test_an_image_that_kills_workers_fails_alone(tmp_path):
    sim = Sim(tmp_path)
    one_killer_fails_alone(sim)


@pytest.mark.parametrize(("core_reports_ends", "ends"), [(False, 5), (True, 2)])
def test_several_killers_in_one_burst_all_end_as_failed(tmp_path, core_reports_ends, ends):
    sim = Sim(tmp_path)
    sim.core_reports_ends = core_reports_ends
    sim.poison = {"m1/3", "m1/4", "m1/150", "m2/0"}
    sim.manifest("cam1", "m1", 200)
    sim.manifest("cam2", "m2", 20)
    sim.settle()

    failed = {r["id"] for r in sim.cloud if r["status"] == "failed"}
    assert failed == sim.poison
    assert sum(w.restarts for w in sim.workers.values()) <= ends * len(sim.poison)
    assert sim.verdict() == CLEAN


@seeds(2, 4)
def test_workers_killed_at_random_quarantine_no_image(tmp_path, seed):
    sim = Sim(tmp_path, seed)
    sim.service_s = 0.05
    for n in range(40):
        sim.manifest("cam1", f"m{n}", 20)
        sim.run(sim.random.uniform(0.3, 1.7))
        sim.kill(sim.random.choice(["w0", "w1", "w2"]), 0.2)
    sim.settle()

    assert {r["status"] for r in sim.cloud} <= {"ok", "gap"}
    assert sim.verdict() == CLEAN


def test_a_frozen_worker_loses_its_credits_and_its_images_go_elsewhere(tmp_path):
    sim = Sim(tmp_path)
    sim.manifest("cam1", "m1", 60)
    sim.run(0.4)
    sim.freeze("w1", 60.0)
    sim.manifest("cam1", "m2", 100)
    sim.run(30.0)

    assert sim.splitter.credit.workers["w1"].state == "silent"
    assert not sim.splitter.backlog.outstanding
    assert sim.verdict() == CLEAN
    sim.run(40.0)
    assert sim.splitter.credit.workers["w1"].state == "ready"


@pytest.mark.parametrize("fault", ["frozen", "slow to start again"])
def test_one_worker_that_is_not_heard_costs_no_gap_with_the_defaults(tmp_path, fault):
    sim = Sim(tmp_path, FANFOLD_WORKER_TIMEOUT_S="30")
    sim.restart_s = 25.0
    sim.manifest("cam1", "m1", 60)
    sim.run(0.4)
    sim.freeze("w1", 25.0) if fault == "frozen" else sim.kill("w1")
    sim.manifest("cam1", "m2", 200)
    sim.settle()

    assert {r["status"] for r in sim.cloud} == {"ok"}
    assert sim.verdict() == CLEAN


def test_who_wakes_up_again_and_again_has_killed_nobody(tmp_path):
    sim = Sim(tmp_path, FANFOLD_WORKER_TIMEOUT_S="30")
    sim.service_s = 0.2
    for n in range(12):
        sim.manifest("cam1", f"m{n}", 40)
        sim.run(1.0)
        sim.freeze(f"w{n % 3}", 5.0)
        sim.run(4.0)
    sim.settle()

    assert {r["status"] for r in sim.cloud} <= {"ok", "gap"}
    assert sim.verdict() == CLEAN


@pytest.mark.parametrize("restart_s", [6.0, 12.0])
def test_a_killer_of_workers_that_start_slowly_still_ends_only_two(tmp_path, restart_s):
    sim = Sim(tmp_path, FANFOLD_WORKER_TIMEOUT_S="30")
    sim.restart_s = restart_s
    one_killer_fails_alone(sim)


def test_one_worker_alone_survives_its_own_deaths(tmp_path):
    sim = Sim(tmp_path, FANFOLD_WORKERS="w0")
    sim.poison = {"m1/5"}
    sim.manifest("cam1", "m1", 30)
    sim.settle()

    assert [r["id"] for r in sim.cloud if r["status"] == "failed"] == ["m1/5"]
    assert sim.verdict() == CLEAN


def test_an_aggregator_that_is_down_costs_no_work_and_invents_no_gap(tmp_path):
    sim = Sim(tmp_path)
    sim.manifest("cam1", "m1", 300)
    sim.run(0.5)
    sim.kill("aggregator", down_s=120.0)
    sim.settle()

    assert sim.verdict() == CLEAN
    assert not [r for r in sim.cloud if r["status"] == "gap"]
    assert sum(w.handled for w in sim.workers.values()) < 300 + 100


def test_a_burst_never_has_more_under_way_than_the_core_queues(tmp_path):
    sim = Sim(tmp_path)
    sim.manifest("cam1", "m1", 3_000)
    sim.settle()

    assert sim.verdict() == CLEAN
    assert sim.max_in_flight < 64


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_what_a_quota_drops_has_a_record(tmp_path, policy):
    sim = Sim(tmp_path, FANFOLD_MAX_BACKLOG="100", FANFOLD_BACKLOG_POLICY=policy)
    sim.service_s = 0.5
    for n in range(6):
        sim.manifest("cam1", f"m{n}", 30)
        sim.run(0.2)
    sim.settle()

    dropped = [r for r in sim.cloud if r["status"] == "dropped"]
    assert dropped
    assert {r["reason"] for r in dropped} == {policy.replace("drop", "quota")}
    assert sim.verdict() == CLEAN


def test_a_full_backlog_answers_busy_with_a_time_to_wait(tmp_path):
    sim = Sim(tmp_path, FANFOLD_MAX_BACKLOG="50")
    sim.service_s = 0.05
    for n in range(6):
        sim.manifest("cam1", f"m{n}", 20)
    sim.settle()

    assert {r["reason"] for r in sim.rejected} == {"busy"}
    assert all(0.5 <= r["retry_after_s"] <= 30 for r in sim.rejected)
    assert sim.verdict() == CLEAN


def test_a_job_over_two_streams_has_one_summary_also_across_kills(tmp_path):
    sim = Sim(tmp_path, 3, Hostility(drop=0.05, duplicate=0.1))
    sim.manifest("cam1", "a", 80, job="j1", last=True)
    sim.manifest("cam2", "b", 30, job="j1", last=True)
    for part in ("splitter", "aggregator", "w0", "aggregator"):
        sim.run(0.4)
        sim.kill(part)
    sim.settle()
    sim.run(5.0)

    (summary,) = sim.jobs
    assert (summary["job"], summary["images"], summary["ok"]) == ("j1", 110, 110)
    assert set(summary["streams"]) == {"cam1", "cam2"}
    assert sum(summary["labels"].values()) == 110
