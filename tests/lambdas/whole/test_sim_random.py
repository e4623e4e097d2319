"""Randomized simulation in virtual time: messages lost, parts ended in the middle of a step,
functions killed and frozen, poison among the images. Nothing is lost, only poison quarantined."""

import random

import pytest
from sim import Hostility, Sim
from sim_decoupled import DecoupledSim
from sim_oracle import CLEAN

few_or_many = pytest.mark.parametrize("plants", [6, pytest.param(500, marks=pytest.mark.soak)])
MANIFESTS = 12
PARTS = ("splitter", "aggregator")


def hostility(chance):
    return Hostility(
        drop=chance.choice((0, 0.03, 0.1)),
        duplicate=chance.choice((0, 0.05, 0.2)),
        delay=chance.choice((0, 0.2)),
        refuse=chance.choice((0, 0.05)),
        dies=chance.choice((0, 0.005, 0.02, 0.08)),
    )


def live(sim, chance, strike):
    """Images of two cameras, and whatever `strike` does now and then; then peace."""
    sim.core_reports_ends = chance.random() < 0.5
    for n in range(MANIFESTS):
        sim.manifest("cam1", f"a{n}", chance.choice((8, 20, 60)))
        if chance.random() < 0.4:
            sim.manifest("cam2", f"b{n}", 5, **({"job": "j"} if chance.random() < 0.3 else {}))
        sim.cloud_takes = chance.random() < 0.7
        sim.run(chance.uniform(0.1, 1.0))
        if chance.random() < 0.4:
            strike()
    sim.cloud_takes, sim.hostility = True, Hostility()
    sim.settle()


def judge(sim, poison):
    # What was on its way to the cloud when the aggregator ended comes again, as the same record.
    assert {**sim.verdict(), "duplicates": 0} == CLEAN
    assert {record["id"] for record in sim.cloud if record["status"] == "failed"} <= poison


def clusters(chance):
    """Ids of images that end functions, where they come two to five at a time."""
    return {
        f"{manifest}/{first + n}"
        for manifest, first in (("a2", 1), ("a5", 3), ("a8", 0))
        for n in range(chance.randint(0, 5))
    }


@few_or_many
def test_a_randomized_simulation_keeps_the_promise(tmp_path, plants):
    for seed in range(plants):
        chance = random.Random(seed)
        sim = Sim(tmp_path / str(seed), seed, hostility(chance))
        sim.poison = clusters(chance) if chance.random() < 0.5 else set()

        def strike(sim=sim, chance=chance):
            one = chance.choice((*PARTS, *sim.workers))
            if one in sim.workers or getattr(sim, one) is not None:
                sim.kill(one)

        live(sim, chance, strike)
        judge(sim, sim.poison)
        sim.close()


#: Here an image was in hand when another one's poison ended a worker, and then alone in one that
#: was frozen.
WAS_IN_COMPANY = 56


@pytest.mark.parametrize(
    "seeds", [(*range(6), WAS_IN_COMPANY), pytest.param(range(500), marks=pytest.mark.soak)]
)
def test_a_randomized_simulation_of_two_stages_keeps_the_promise(tmp_path, seeds):
    for seed in seeds:
        chance = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        sim = DecoupledSim(folder, seed, hostility(chance))
        sim.poison = clusters(chance) if chance.random() < 0.5 else set()
        sim.poison_of_transform = {"a3/0"} if chance.random() < 0.3 else set()

        def strike(sim=sim, chance=chance):
            one = chance.choice((*PARTS, *sim.workers, *sim.inference))
            if one not in PARTS and chance.random() < 0.2:
                sim.freeze(one, chance.uniform(1, 8))
            elif one not in PARTS or getattr(sim, one) is not None:
                sim.kill(one)

        live(sim, chance, strike)
        judge(sim, sim.poison | sim.poison_of_transform)
        sim.close()
