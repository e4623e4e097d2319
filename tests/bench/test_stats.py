"""Percentiles and ratios say what they claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats import Spread, paired_ratio, percentile

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
