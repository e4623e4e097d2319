"""Dealing sites to waves, and what is done next: pure, with any sites and any ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.rollout.state import NEXT, Deploy, Ended, Halt, Rollout, Stand, decide
from fanfold.rollout.waves import deal

SITES = st.integers(0, 60).map(lambda count: [f"line-{n}" for n in range(count)])
SHARES = st.sets(st.integers(1, 99), max_size=5).map(lambda some: [*sorted(some), 100])


@given(SITES, SHARES)
def test_every_site_is_in_exactly_one_wave_and_the_canary_alone_in_the_first(sites, shares):
    waves = deal(sites, None, shares)

    assert sorted(site for wave in waves for site in wave) == sorted(sites)
    assert all(waves)
    assert [len(wave) for wave in waves[:1]] == ([1] if sites else [])


@given(SITES.filter(bool), SHARES)
def test_no_wave_goes_beyond_its_share(sites, shares):
    told = 1
    for wave in deal(sites, None, shares)[1:]:
        told += len(wave)
        assert any(told == -(-len(sites) * share // 100) for share in shares)


def test_twenty_sites_go_as_one_two_six_and_the_rest():
    sites = [f"line-{n:02}" for n in range(1, 21)]

    waves = deal(sites, "line-07")

    assert [len(wave) for wave in waves] == [1, 1, 4, 14]
    assert waves[0] == ("line-07",)


@pytest.mark.parametrize("shares", [[], [10], [0, 100], [50, 20, 100], [100, 100], [10, 101]])
def test_shares_that_do_not_grow_to_the_whole_are_refused(shares):
    with pytest.raises(ValueError, match="end at 100"):
        deal(["a"], None, shares)


def test_a_canary_that_is_none_of_the_sites_is_refused():
    with pytest.raises(ValueError, match="line-9: is none"):
        deal(["line-1"], "line-9")


def stood(*stands: Stand) -> Rollout:
    """One wave of sites that stand so."""
    names = [f"s{n}" for n in range(len(stands))]
    state = Rollout.begun([names])
    return Rollout(**{**vars(state), "stands": dict(zip(names, stands, strict=True))})


@given(st.lists(st.sampled_from(Stand), min_size=1, max_size=6))
def test_nothing_is_told_after_a_stop_wherever_the_sites_stand(stands):
    assert not isinstance(decide(stood(*stands).halted("an operator's word")), Deploy)


@given(st.lists(st.sampled_from(Stand), min_size=1, max_size=6))
def test_a_wave_with_a_bad_site_stops_before_anything_else(stands):
    assert isinstance(decide(stood(*stands, Stand.FAILED)), Halt)
    assert isinstance(decide(stood(Stand.UNHEALTHY, *stands)), Halt)


def test_a_wave_of_which_no_site_answers_is_no_evidence():
    assert "nothing is known" in decide(stood(Stand.AWAY, Stand.AWAY)).why
    assert decide(stood(Stand.AWAY, Stand.HEALTHY)) == Ended(done=True)


@pytest.mark.parametrize("stand", Stand)
def test_a_site_goes_only_where_the_table_says(stand):
    state = stood(stand)
    for to in Stand:
        if to in NEXT[stand]:
            assert state.moved("s0", to, 0.0).stands == {"s0": to}
        else:
            with pytest.raises(ValueError, match="does not become"):
                state.moved("s0", to, 0.0)


def test_who_was_off_is_judged_in_a_wave_of_its_own_when_it_returns():
    state = Rollout.begun([["a"], ["b", "c"]])
    ends = {"a": Stand.HEALTHY, "b": Stand.AWAY, "c": Stand.HEALTHY}
    for site, end in ends.items():
        for to in (Stand.DEPLOYING, *([Stand.DEPLOYED] if end is Stand.HEALTHY else []), end):
            state = state.moved(site, to, 0.0)

    resumed = state.resumed(1.0)

    assert decide(state) == Ended(done=True)
    assert resumed.waves == (("a",), ("c",), ("b",))
    assert decide(resumed) == Deploy(("b",))
    off = resumed.moved("b", Stand.DEPLOYING, 2.0).moved("b", Stand.AWAY, 2.0)
    assert decide(off) == Ended(done=True)
