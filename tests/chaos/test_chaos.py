"""Nothing lost, nothing twice, in order: real core, real Lambdas, real faults."""

from __future__ import annotations

from typing import Any

import pytest
from chaos_oracle import judge
from chaos_plant import Plant, Report

IMAGES = 300
CASES: dict[str, dict[str, Any]] = {
    "work and done lost, doubled, late": {
        "seed": 1,
        "messages": [
            {"topic": t, "drop": 0.1, "duplicate": 0.1, "delay": 0.1, "delay_s": 0.5}
            for t in ("chaos/work/#", "chaos/done", "chaos/ack")
        ],
    },
    "workers killed": {"seed": 2, "functions": [{"function": "w*", "kill_at_s": [2, 4, 6]}]},
    "workers frozen": {"seed": 5, "functions": [{"function": "w*", "freeze_at_s": [6, 9]}]},
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


@pytest.mark.parametrize("case", CASES)
def test_every_image_ends_once_and_in_order(plant: Plant, report: Report, case: str) -> None:
    plant.start(CASES[case])
    plant.send(IMAGES)
    functions = CASES[case].get("functions", ())
    for kind in ("kill", "freeze"):
        expected = sum(len(f.get(f"{kind}_at_s", ())) for f in functions)
        while plant.strikes(kind) < expected:  # images flow until the last one has happened
            plant.send(20)
        while plant.restarts() < expected:  # each is found and replaced
            plant.send(20)
    report(case, plant)


@pytest.mark.parametrize("everything", [False, True])
def test_a_killed_core_leaves_no_process_and_loses_nothing(
    plant: Plant, report: Report, everything: bool
) -> None:
    def kill() -> None:
        plant.kill_core(everything=everything)
        plant.start()

    plant.start()
    plant.send(IMAGES, halfway=kill)
    report("everything killed at once" if everything else "core killed", plant)


def test_the_oracle_sees_what_is_wrong() -> None:
    sent = {"a": "a.jpg", "b": "b.jpg", "c": "c.jpg"}
    one = {"stream": "s", "status": "ok"}
    verdict = judge(
        sent,
        [
            {**one, "seq": 2, "id": "a", "file": "a.jpg"},
            {**one, "seq": 1, "id": "b", "file": "x.jpg"},
            {**one, "seq": 1, "id": "b", "file": "x.jpg"},
            {**one, "seq": 3, "id": "a", "file": "a.jpg"},
        ],
    )
    assert (verdict.missing, verdict.duplicated) == ({"c"}, {"a"})
    assert (verdict.out_of_order, verdict.wrong_file, verdict.resent) == (1, {"b"}, 1)
