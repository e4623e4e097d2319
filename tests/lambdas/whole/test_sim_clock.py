"""The wall clock jumps: only time stamps change."""

from __future__ import annotations

import random

import pytest
from seeds import seeds
from sim import Hostility, Sim
from sim_oracle import CLEAN


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0])
def test_a_jump_of_the_wall_clock_changes_nothing(tmp_path, jump_s):
    sim = Sim(tmp_path)
    sim.manifest("cam1", "m1", 60, job="j", last=True)
    sim.run(0.3)
    sim.wall += jump_s
    sim.settle()

    assert sim.verdict() == CLEAN
    assert not sim.late
    assert [job["images"] for job in sim.jobs] == [60]
    assert sum(w.handled for w in sim.workers.values()) == 60


HOUR_S, YEAR_S = 3600.0, 365.25 * 86400.0
JUMPS_S = (-HOUR_S, HOUR_S, 24 * HOUR_S, -24 * HOUR_S, 10 * YEAR_S, -10 * YEAR_S)


@seeds(2, 3)
def test_a_hundred_jumps_of_the_wall_clock_change_nothing_but_time_stamps(tmp_path, seed):
    """The same run twice, once with a clock that jumps: every record in the same order."""

    def run(folder, jumps):
        chance = random.Random(seed)
        sim = Sim(folder, seed, Hostility(drop=0.05, delay=0.2, delay_s=0.5, duplicate=0.1))
        for n in range(100):
            sim.manifest("cam1" if n % 2 else "cam2", f"m{n}", 3)
            step_s = chance.choice(JUMPS_S)
            sim.wall += step_s if jumps else 0.0
            if n % 25 == 24:
                sim.kill(chance.choice(("splitter", "aggregator", "w0")))
            sim.run(0.1)
        sim.settle()
        # A killed aggregator may have sent a batch that it does not remember having sent.
        assert {**sim.verdict(), "duplicates": 0} == CLEAN
        return [(r["stream"], r["seq"], r["status"], r.get("id")) for r in sim.cloud]

    assert run(tmp_path / "jumps", jumps=True) == run(tmp_path / "steady", jumps=False)
