"""Nothing lost, nothing twice, in order: real core, real Lambdas, real faults, all defaults."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from chaos_local import LocalTopics
from chaos_plant import IN_HAND_MS, Plant, Report
from chaos_shared import Shared

IMAGES = 150
LOSSY: dict[str, Any] = {
    "seed": 1,
    "messages": [
        {"topic": t, "drop": 0.1, "duplicate": 0.1, "delay": 0.1, "delay_s": 0.5}
        for t in ("chaos/work/#", "chaos/done", "chaos/ack")
    ],
}
CASES: dict[str, dict[str, Any]] = {
    "work and done lost, doubled, late": LOSSY,
    "workers killed": {"seed": 2, "functions": [{"function": "w*", "kill_at_s": [2, 4, 6]}]},
    "one worker frozen": {"seed": 5, "functions": [{"function": "w0", "freeze_at_s": [4]}]},
    "splitter and aggregator killed": {
        "seed": 3,
        "functions": [
            {"function": "splitter", "kill_at_s": [2.5]},
            {"function": "aggregator", "kill_at_s": [3]},
        ],
    },
    "cloud flapping, acknowledgements lost": {
        "seed": 4,
        "cloud": {"flapping": {"up_s": 2, "down_s": 1}, "ack_lost": 0.3},
    },
}


def strike_while_images_flow(plant: Plant, plan: dict[str, Any]) -> None:
    """Send until the plan's last kill or freeze has happened."""
    functions = plan.get("functions", ())
    for kind in ("kill", "freeze"):
        expected = sum(len(f.get(f"{kind}_at_s", ())) for f in functions)
        plant.flow(lambda kind=kind, expected=expected: plant.strikes(kind) >= expected)


@pytest.mark.parametrize("case", CASES)
def test_every_image_ends_once_and_in_order(
    make_plant: Callable[..., Plant], report: Report, case: str
) -> None:
    plant = make_plant(wait_ms=IN_HAND_MS)
    plant.start(CASES[case])
    with LocalTopics(plant.core) as local:
        plant.send(IMAGES)
        strike_while_images_flow(plant, CASES[case])
        report(case, plant)
    # That one fault opens no gap with the defaults is asserted in virtual time
    # (tests/lambdas/whole/test_sim.py); here the report says how many there were.
    assert local.steps_back() == 0
    killed = [f["function"] for f in CASES[case].get("functions", ()) if "kill_at_s" in f]
    assert not local.repeated() or "aggregator" in killed


def test_a_record_later_than_the_hold_back_is_a_gap_in_its_place_and_comes_once_on_late(
    make_plant: Callable[..., Plant], report: Report
) -> None:
    plant = make_plant(wait_ms=50, max_wait_s=1)  # slow: the freeze meets a batch in hand
    plant.start()
    frozen = plant.core.functions()["w0"]["pid"]
    with LocalTopics(plant.core) as local:
        plant.send(100, halfway=lambda: os.kill(frozen, signal.SIGSTOP))
        report("reorder wait of 1 s, a worker frozen", plant)
    assert local.gaps(), "the freeze met no image"
    assert (local.steps_back(), local.repeated()) == (0, 0)
    late = [(r["stream"], r["seq"]) for r in local.late]
    assert len(late) == len(set(late))
    assert set(late) == local.gaps()


@pytest.mark.parametrize("everything", [False, True])
def test_a_killed_core_leaves_no_process_and_loses_nothing(
    shared: Shared, report: Report, everything: bool
) -> None:
    plant = shared()
    plant.send(IMAGES, halfway=lambda: plant.kill_core(everything=everything))
    report("everything killed at once" if everything else "core killed", plant)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", ["splitter", "aggregator", "w*"])
def test_a_hundred_kills_of_one_part(plant: Plant, report: Report, part: str) -> None:
    plant.start({"seed": 13, "functions": [{"function": part, "kill_every_s": 2}]})
    while plant.strikes() < 100:
        # Five kills in a row before it has worked look like a crash loop: a minute's pause.
        plant.send(20, deadline_s=300)
    report(f"kills of {part.rstrip('*') or 'w'}, one every 2 s", plant, runs=100)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_everything_killed_thirty_times(plant: Plant, report: Report) -> None:
    plant.start()
    for _ in range(30):
        plant.send(40, halfway=lambda: plant.kill_core(everything=True))
    report("everything killed, again and again", plant, runs=30)
