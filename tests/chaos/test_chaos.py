"""Nothing lost, nothing twice, in order: real core, real Lambdas, real faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos_oracle import judge
from chaos_plant import DEVICE_PYTHON, Plant

# Start and end of a JPEG with an 8 × 8 frame header: the noop model reads no pixels.
IMAGE = bytes.fromhex("ffd8ffc0000b080008000801011100ffd9")
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


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    if not DEVICE_PYTHON.exists():
        pytest.skip("no .venv-device: run `make setup`")
    made = Plant(tmp_path, IMAGE)
    yield made
    made.stop()


@pytest.mark.parametrize("case", CASES)
def test_every_image_ends_once_and_in_order(plant: Plant, case: str) -> None:
    plant.start(CASES[case])
    plant.send(IMAGES)
    expected = sum(len(f["kill_at_s"]) for f in CASES[case].get("functions", ()))
    while plant.kills() < expected:  # images flow until the last kill has happened
        plant.send(20)
    verdict = plant.verdict()
    assert verdict.clean, verdict


def test_every_image_ends_once_and_in_order_when_the_core_is_killed(plant: Plant) -> None:
    plant.start()
    plant.send(IMAGES, kill_core_at=IMAGES // 2)
    verdict = plant.verdict()
    assert verdict.clean, verdict


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
