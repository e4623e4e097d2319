"""Cameras over the cores of a site: who gets which, and what moves when a box joins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from infra.planning.dealing import deal

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
def test_a_core_that_is_appended_takes_cameras_and_nothing_else_moves(plant, capacity):
    cameras, cores, put = plant
    before = deal(cameras, cores, put)

    after = deal(cameras, {**cores, "new": capacity}, put)

    assert {after[camera] for camera in moved(before, after)} <= {"new"}


@given(plants(), able)
def test_taking_the_last_core_away_gives_its_cameras_back_and_moves_no_other(plant, capacity):
    cameras, cores, put = plant
    with_it = deal(cameras, {**cores, "last": capacity}, put)

    without = deal(cameras, cores, put)

    assert moved(with_it, without) == {c for c, core in with_it.items() if core == "last"}


@given(plants())
def test_a_camera_that_is_appended_moves_no_other(plant):
    cameras, cores, put = plant
    before = deal(cameras, cores, put)

    after = deal([*cameras, "new"], cores, put)

    assert moved(before, after) == set()


@given(st.integers(1, 40), st.integers(1, 7))
def test_equal_cores_differ_by_two_cameras_at_most(cameras, cores):
    dealt = deal([f"c{i}" for i in range(cameras)], {f"b{i}": 3.0 for i in range(cores)}, {})

    counts = [list(dealt.values()).count(f"b{i}") for i in range(cores)]
    assert max(counts) - min(counts) <= (1 if cores < 5 else 2)


@given(st.lists(st.sampled_from([1.0, 1.5, 2.0, 4.0]), min_size=2, max_size=5), st.data())
def test_no_core_is_more_than_two_cameras_off_its_share_of_what_all_can_do(capacities, data):
    cameras = data.draw(st.integers(2 * len(capacities), 24))
    named = {f"b{i}": capacity for i, capacity in enumerate(capacities)}

    dealt = deal([f"c{i}" for i in range(cameras)], named, {})

    for core, capacity in named.items():
        share = cameras * capacity / sum(capacities)
        assert abs(list(dealt.values()).count(core) - share) <= 2


def test_what_is_put_by_hand_fills_a_cores_share():
    cameras = [f"c{i}" for i in range(8)]

    dealt = deal(cameras, {"a": 10.0, "b": 10.0}, {"c0": "b", "c1": "b", "c2": "b", "c3": "b"})

    assert [camera for camera, core in dealt.items() if core == "a"] == cameras[4:]
