"""Cameras over the cores of a site: who gets which, and what moves when a box joins."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from infra.planning.dealing import deal, shares

able = st.sampled_from([1.0, 1.5, 2.0, 4.0, 7.5, 31.0])


@st.composite
def plants(draw):
    """Cameras, cores with what they can do, and some cameras put by hand."""
    cameras = [f"cam{i}" for i in range(draw(st.integers(1, 24)))]
    cores = {f"box{i}": draw(able) for i in range(draw(st.integers(1, 6)))}
    put = draw(st.dictionaries(st.sampled_from(cameras), st.sampled_from(list(cores)), max_size=5))
    return cameras, cores, put


def moved(before, after):
    return {camera for camera in before if before[camera] != after[camera]}


@given(plants())
def test_every_camera_has_one_core_and_those_put_by_hand_have_theirs(plant):
    cameras, cores, put = plant

    dealt = deal(cameras, cores, put)

    assert list(dealt) == cameras
    assert set(dealt.values()) <= set(cores)
    assert {camera: dealt[camera] for camera in put} == put


@given(plants())
def test_no_core_is_idle_while_there_are_cameras_for_all(plant):
    cameras, cores, put = plant
    needing = set(cores) - set(put.values())

    dealt = deal(cameras, cores, put)

    if len(cameras) - len(put) >= len(needing):
        assert set(dealt.values()) == set(cores)


@given(plants(), able)
def test_a_core_that_is_appended_takes_its_share_and_nothing_else_moves(plant, capacity):
    cameras, cores, put = plant
    before = deal(cameras, cores, put)

    after = deal(cameras, {**cores, "new": capacity}, put)

    came = moved(before, after)
    assert {after[camera] for camera in came} <= {"new"}
    # No dealing with the same shares moves fewer: what the new core has, somebody had to give.
    counts = [Counter(put.values())[core] for core in [*cores, "new"]]
    share = shares([*cores.values(), capacity], counts, len(cameras) - len(put))
    assert len(came) == share[-1]


@given(plants(), able)
def test_taking_the_last_core_away_gives_its_cameras_back_and_moves_no_other(plant, capacity):
    cameras, cores, put = plant
    whole = {**cores, "last": capacity}
    with_it = deal(cameras, whole, put)

    without = deal(cameras, cores, put)

    assert moved(with_it, without) == {c for c, core in with_it.items() if core == "last"}


@given(plants())
def test_a_camera_that_is_appended_moves_at_most_one_other_for_each_further_core(plant):
    cameras, cores, put = plant
    before = deal(cameras, cores, put)

    after = deal([*cameras, "new"], cores, put)

    assert len(moved(before, after)) <= len(cores) - 1


@given(st.integers(1, 40), st.integers(1, 7))
def test_equal_cores_differ_by_one_camera_at_most(cameras, cores):
    dealt = deal([f"c{i}" for i in range(cameras)], {f"b{i}": 3.0 for i in range(cores)}, {})

    counts = [list(dealt.values()).count(f"b{i}") for i in range(cores)]
    assert max(counts) - min(counts) <= 1


def test_shares_follow_what_the_cores_can_do():
    assert shares([30.0, 10.0], [0, 0], 16) == [12, 4]
    assert shares([30.0, 10.0], [0, 4], 12) == [12, 0]
