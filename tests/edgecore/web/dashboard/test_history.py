from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.web.dashboard.history import (
    COARSE_POINTS,
    COLUMNS,
    FINE_POINTS,
    History,
    Point,
)
from edgecore.web.dashboard.quantiles import RATIO, Durations

T0 = 1_790_000_000.0


def column(point: Point, name: str) -> float | None:
    return point[1 + COLUMNS.index(name)]


def test_a_second_with_forty_results_shows_forty_a_second() -> None:
    history = History()
    history.tick(T0, {})
    history.count("ok", 40)
    history.tick(T0 + 1.0, {})

    assert column(history.fine()[-1], "ok") == 40.0


def test_a_late_tick_spreads_its_count_over_the_time_that_passed() -> None:
    history = History()
    history.tick(T0, {})
    history.count("ok", 40)
    history.tick(T0 + 4.0, {})

    assert column(history.fine()[-1], "ok") == 10.0


def test_a_first_moment_before_the_full_second_makes_no_spike() -> None:
    history = History()
    history.tick(T0 + 0.95, {})
    history.count("ok", 5)
    history.tick(T0 + 1.0, {})

    assert history.fine() == []


def test_a_stage_nobody_measured_is_none_and_not_zero() -> None:
    history = History()
    history.tick(T0, {})
    history.tick(T0 + 1, {})

    assert column(history.fine()[-1], "inference_p50") is None
    assert column(history.fine()[-1], "backlog") is None


def test_a_gauge_keeps_its_peak_within_the_period() -> None:
    history = History()
    for t, backlog in ((0.0, 3.0), (0.5, 90.0), (1.0, 4.0)):
        history.tick(T0 + t, {"backlog": backlog})

    assert column(history.fine()[-1], "backlog") == 90.0


def test_the_coarse_points_hold_the_quantiles_of_all_their_images() -> None:
    history = History()
    history.tick(T0, {})
    for second in range(1, 11):
        history.durations({"inference": [10.0 if second <= 5 else 1000.0]})
        history.tick(T0 + second, {})

    assert column(history.coarse()[-1], "inference_p50") == pytest.approx(10, rel=RATIO - 1)
    assert column(history.coarse()[-1], "inference_p99") == pytest.approx(1000, rel=RATIO - 1)


def test_a_day_leaves_no_more_points_than_the_rings_hold() -> None:
    history = History()
    for second in range(0, 86_400, 2):
        history.tick(T0 + second, {"backlog": 1.0})

    assert len(history.fine()) == FINE_POINTS
    assert len(history.coarse()) == COARSE_POINTS


def test_a_clock_set_back_starts_again_instead_of_waiting() -> None:
    history = History()
    history.tick(T0, {})
    history.tick(T0 - 3600, {})
    history.tick(T0 - 3599, {})

    assert len(history.fine()) == 1


def test_only_points_that_were_not_handed_out_come_back() -> None:
    history = History()
    for second in range(3):
        history.tick(T0 + second, {})
    seen = history.fine_written
    for second in range(3, 5):
        history.tick(T0 + second, {})

    assert [p[0] for p in history.fine(behind=seen)] == [T0 + 3, T0 + 4]


def test_points_go_on_at_once_though_the_clock_was_set_back_an_hour() -> None:
    """And those of the hour that comes again make room: a chart's time only goes on."""
    history = History()
    for second in [*range(10), -3600, -3599, -3598]:
        history.tick(T0 + second, {})
        seen = history.fine_written - 1

    assert [p[0] for p in history.fine(behind=seen)] == [T0 - 3598]
    assert [p[0] for p in history.fine()] == [T0 - 3599, T0 - 3598]


def test_a_clock_that_was_wrong_for_a_minute_costs_only_that_minute() -> None:
    history = History()
    for second in [*range(10), *range(3600, 3660), *range(70, 80)]:
        history.tick(T0 + second, {})

    assert [p[0] - T0 for p in history.fine()] == [*range(1, 10), *range(71, 80)]


@given(st.lists(st.floats(0.02, 1e6), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_is_within_half_a_bucket_of_the_exact_one(ms: list[float], q: float) -> None:
    durations = Durations()
    durations.add(ms[:-1])
    durations.add(ms[-1:])

    exact = sorted(ms)[math.ceil(q * len(ms)) - 1]
    assert durations.quantile(q) == pytest.approx(exact, rel=RATIO - 1)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.lists(st.floats(0.1, 10)))
def test_merged_durations_answer_as_if_all_had_been_added_to_one(
    left: list[float], right: list[float]
) -> None:
    one, two, both = Durations(), Durations(), Durations()
    one.add(left)
    two.add(right)
    both.add(left + right)
    one.merge(two)

    assert str(one.quantile(0.5)) == str(both.quantile(0.5))


def test_what_is_no_number_is_left_out_of_the_quantiles() -> None:
    durations = Durations()
    durations.add([math.nan, 5.0, math.nan])

    assert durations.quantile(1.0) == pytest.approx(5.0, rel=RATIO - 1)


def test_no_durations_have_no_quantile() -> None:
    assert math.isnan(Durations().quantile(0.5))
