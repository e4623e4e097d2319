"""The pure parts of the measurements "to the limit": verdicts, tables, floors, ideals."""

from __future__ import annotations

import argparse
import os
from typing import Any

import pytest

from bench import asked, constants, guard, path_cost, scale, send_rate, starting
from bench.asked import Asked, ideal_rate
from bench.choosing import names_of


def period(**other: Any) -> send_rate.Period:
    usual: dict[str, Any] = {"sent": 10, "arrived": 10, "p50": 40, "p99": 60, "memory_mb": 100}
    return send_rate.Period(**{**usual, **other})


def test_a_rate_whose_results_all_come_as_soon_as_before_is_stable() -> None:
    assert send_rate.verdict([period() for _ in range(10)]) == []


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"arrived": 7}, "3 of 100 images have no result"),
        ({"p50": 500}, "latency rises: p50 40 ms, then 500"),
        ({"memory_mb": 140}, "memory rises: 100 MB, then 140"),
    ],
)
def test_a_rate_that_cannot_go_on_says_why(last: dict[str, float], said: str) -> None:
    assert send_rate.verdict([*(period() for _ in range(9)), period(**last)]) == [said]


def test_a_slow_beginning_is_not_held_against_a_rate() -> None:
    beginning = [period(p50=900, memory_mb=20)] * 3

    assert send_rate.verdict([*beginning, *[period()] * 7]) == []


def test_a_target_is_met_from_its_own_side() -> None:
    assert Asked("rate", 9_100, 9_000, least=True).met
    assert not Asked("latency", 2.1, 2.0, "ms").met
    assert Asked("latency", 2.1, 2.0, "ms").line() == "| latency | 2.1 ms | ≤ 2 | **no** |"


def test_the_ideal_is_the_accelerators_until_the_cores_are_the_limit() -> None:
    cores = len(os.sched_getaffinity(0))

    assert ideal_rate(2, 35.0, 1e9, 0.0) == pytest.approx(2 / 0.035)
    assert ideal_rate(1_000, 35.0, 200.0, 0.0) == pytest.approx(200.0)
    assert ideal_rate(1_000, 35.0, 200.0, 5.0 * cores) == pytest.approx(100.0)


def test_a_ratio_below_its_floor_or_without_one_fails() -> None:
    found = {"a ÷ b": 1.4, "c ÷ d": 0.8, "e ÷ f": 2.0}

    assert guard.below(found, {"a ÷ b": 1.4, "c ÷ d": 0.9}) == [
        "c ÷ d: 0.80, the floor is 0.9",
        "e ÷ f: 2.00, no floor is recorded; see --record",
    ]
    assert guard.below(found, guard.floors_of(found)) == []


def test_every_ratio_of_the_guard_has_a_recorded_floor(tmp_path: Any) -> None:
    import json

    floors = json.loads(guard.FLOORS.read_text(encoding="utf-8"))

    assert set(floors) == set(guard.Ratios([], tmp_path).each())


def test_a_size_is_flat_by_the_ratio_to_the_smallest_of_the_same_round() -> None:
    def row(size: int, us: float, round_: int) -> dict[str, Any]:
        known = {"grows": "streams", "size": size, "round": round_}
        return {**known, "cpu_us": {"splitter": us}, "peak_mb": 30.0, "restart_s": 0.1}

    rows = [row(1, 100, 0), row(100, 105, 0), row(1, 200, 1), row(100, 210, 1)]
    _, _, smallest, large = scale.table(rows)

    assert "| 1 [1–1] | yes |" in smallest
    assert "| 1.05 [1.05–1.05] | yes |" in large


def test_imports_are_told_slowest_first() -> None:
    said = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       120 |        120 |   zipimport\n"
        "import time:       500 |       9500 | asyncio\n"
    )

    assert starting.slowest_imports(said) == [(9.5, "asyncio"), (0.12, "zipimport")]


def test_the_cost_of_the_path_is_that_of_core_splitter_and_aggregator() -> None:
    cpu = {"core": 80.0, "splitter": 30.0, "aggregator": 60.0, "w0": 900.0, "client": 9.0}
    row = {"way": "manifests", "images_per_s": 10.0, "cpu_us_per_image": cpu}

    assert path_cost.path_ms(row) == pytest.approx(0.17)
    (said,) = path_cost.summary([("now", row)])
    assert said.startswith("manifests  0.170 ms per image, asked 0.12")


def test_the_planners_constant_is_what_all_parts_use_less_the_transform() -> None:
    cpu = {"core": 2000.0, "splitter": 1000.0, "w0": 4000.0, "w1": 3000.0, "client": 900.0}

    found = constants.around_ms({"cpu_us_per_image": cpu}, {"cpu_ms_per_image": 7.0})

    assert found == pytest.approx(3.0)
    told = constants.lines(
        "PATH_MS", [2.0, found, 4.0], "2 cores of a Xeon, 2026-11-30"
    ).splitlines()
    assert told[0].startswith("infra/planning/capacity.py has ")
    assert told[1:] == ["# 2, 3, 4 ms in turn: 2 cores of a Xeon, 2026-11-30.", "PATH_MS = 3"]


def test_pictures_of_a_measurement_are_all_different(tmp_path: Any) -> None:
    paths = path_cost.pictures(tmp_path / "made", 3, 200)

    assert len({path.read_bytes() for path in paths}) == 3
    assert {path.stat().st_size for path in paths} == {200}


def test_a_name_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    assert names_of(scale.SHORT)("past,workers") == ["past", "workers"]
    with pytest.raises(argparse.ArgumentTypeError, match="not known: day; there are streams, "):
        names_of(scale.SHORT)("past,day")


def test_every_step_that_can_be_chosen_is_one_of_a_run() -> None:
    assert all(callable(getattr(asked.Run, name)) for name in asked.STEPS)


def test_a_prediction_is_compared_with_the_steady_rate_of_the_runs_that_have_one() -> None:
    scale_row = {"grows": "streams", "size": 1}
    fanfold = {"scenario": "real", "workers": 2, "method": "fanfold", "images_per_s": 3.0}
    rows = [
        scale_row,
        fanfold | {"predicted_images_per_s": 5.5, "steady_images_per_s": 5.0},
        fanfold | {"predicted_images_per_s": 6.0},
        fanfold,
    ]

    steady, whole = asked.predictions_of(rows)

    assert steady.measure.endswith("real N=2 fanfold is 1.10; off by")
    assert steady.now == pytest.approx(0.1)
    assert whole.now == pytest.approx(1.0)
