"""Percentiles and ratios say what they claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats import Spread, paired_ratio, percentile, steady_rate

numbers = st.lists(st.floats(0.1, 1e6), min_size=1, max_size=50)


@given(numbers)
def test_a_percentile_is_one_of_the_values_and_grows_with_p(values):
    found = [percentile(values, p) for p in (0, 50, 90, 99, 100)]

    assert all(v in values for v in found)
    assert found == sorted(found)
    assert found[-1] == max(values)


def test_no_values_have_no_percentile():
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_a_machine_that_slows_down_in_one_round_does_not_change_the_ratio():
    ratio = paired_ratio([200.0, 100.0, 200.0], [100.0, 50.0, 100.0])

    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_rounds_that_were_not_measured_together_are_refused():
    with pytest.raises(ValueError, match="not measured together"):
        paired_ratio([1.0], [1.0, 2.0])


def test_two_rounds_are_never_called_stable():
    assert not Spread.of([1.0, 1.0]).stable
    assert Spread.of([1.0, 1.05, 0.95]).stable
    assert not Spread.of([1.0, 2.0, 1.0]).stable


@given(st.integers(1, 32), st.integers(1, 4), st.integers(6, 20))
def test_the_steady_rate_of_workers_in_step_is_theirs(batch, workers, rounds):
    arrivals = [r + w * 1e-3 for r in range(rounds) for w in range(workers) for _ in range(batch)]
    if len(arrivals) >= 10:
        assert steady_rate(arrivals) == pytest.approx(batch * workers, rel=0.06)


def test_the_steady_rate_leaves_out_a_slow_start():
    arrivals = [5.0 + n / 20 for n in range(100)]
    arrivals[:9] = [n / 2 for n in range(9)]
    assert steady_rate(arrivals) == pytest.approx(20)


def test_few_results_have_no_steady_rate():
    assert steady_rate([0.0, 1.0]) is None
    assert steady_rate([1.0] * 20) is None
