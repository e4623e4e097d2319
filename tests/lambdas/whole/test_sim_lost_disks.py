"""Splitter or aggregator comes back without its disk: what is left has one meaning, and goes on."""

from __future__ import annotations

import json

import pytest
from sim import Hostility, Sim


def answered(sim):
    """Events that the camera was told of as accepted, also where that is still under way."""
    told = {
        (topic.split("/")[2], json.loads(payload)["id"])
        for _, _, topic, payload in sim.in_flight
        if topic.endswith("/accepted")
    }
    return told | set(sim.accepted)


@pytest.mark.parametrize("seed", range(8))
def test_a_lost_journal_never_reuses_a_number(tmp_path, seed):
    sim = Sim(tmp_path, seed, Hostility(delay=0.3, delay_s=2.0, duplicate=0.2))
    sim.manifest("cam1", "m1", 100)
    sim.run(0.5)
    sim.lose("splitter")
    by_the_lost_one = answered(sim)
    sim.manifest("cam1", "m2", 100)
    sim.settle()

    assert sim.verdict()["conflicts"] == 0
    assert sim.verdict()["order"] == 0
    by_the_new_one = set(sim.accepted) - by_the_lost_one
    assert ("cam1", "m2") in by_the_new_one
    for camera, event in by_the_new_one:
        first, count = sim.accepted[camera, event]
        ends = [r for r in sim.cloud if r.get("id", "").startswith(event)]
        assert {r["seq"] for r in ends} == set(range(first, first + count))


def test_a_lost_store_goes_on_where_the_splitter_stands(tmp_path):
    sim = Sim(tmp_path)
    sim.manifest("cam1", "m1", 100)
    sim.settle()
    sim.manifest("cam1", "m2", 100)
    sim.run(0.3)
    sim.lose("aggregator")
    sim.settle()
    sim.manifest("cam1", "m3", 10)
    sim.settle()

    assert sim.verdict()["conflicts"] == 0
    assert {r["id"] for r in sim.cloud if r.get("id", "").startswith("m3")} == {
        f"m3/{n}" for n in range(10)
    }
