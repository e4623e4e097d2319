"""Whose a number is: each number that a run gave has that run's name, through any restore."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.common.runs import Runs, new_run

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("give"), st.integers(1, 5)),
        st.tuples(st.just("copy"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("restore"), st.just(0)),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_no_key_is_given_twice_whatever_copy_a_start_finds(steps: list[tuple[str, int]]) -> None:
    known: dict[str, list[tuple[int, str]]] = {}
    following, copy, starts = 1, ({}, 1), 0
    runs, keys = Runs(known), set()
    runs.begin("run 0", {"a": 1})
    for what, count in steps:
        for _ in range(count if what == "give" else 0):
            key = (runs.of("a", following), "a", following)
            assert key not in keys
            assert key[0] == f"run {starts}"
            assert runs.gave(f"run {starts}", "a", following)
            assert not runs.gave("of before the restore", "a", following)
            keys.add(key)
            following += 1
        if what == "copy":
            copy = ({"a": list(runs.known["a"])}, following)
        elif what in ("restart", "restore"):
            known, following = copy if what == "restore" else (runs.known, following)
            starts += 1
            runs = Runs(known)
            runs.begin(f"run {starts}", {"a": following})


def test_a_number_keeps_its_run_until_all_before_the_next_have_left() -> None:
    runs = Runs({"a": [(1, "r1"), (10, "r2"), (20, "r3")]})
    assert [runs.of("a", n) for n in (1, 9, 10, 19, 20, 99)] == ["r1", "r1", "r2", "r2", "r3", "r3"]
    runs.forget("a", 8)
    assert runs.of("a", 9) == "r1"
    runs.forget("a", 9)
    assert runs.of("a", 10) == "r2"
    runs.learn({"a": [(12, "r4")]})
    assert [runs.of("a", n) for n in (11, 12, 99)] == ["r2", "r4", "r4"]


def test_an_earlier_run_may_speak_of_its_own_numbers_only() -> None:
    runs = Runs({"a": [(1, "r1")]})
    assert runs.gave("r1", "a", 50), "nobody has asked yet"
    runs.begin("r2", {"a": 10})
    assert runs.gave("r1", "a", 9)
    assert not runs.gave("r1", "a", 10)
    assert runs.gave("r2", "a", 10)


def test_names_of_runs_sort_by_time_and_no_two_are_the_same() -> None:
    assert new_run(1_790_000_000.0) < new_run(1_790_000_000.01) < new_run(1_790_000_001.0)
    assert new_run(1_790_000_001.0) > "6ab13b80ffffffff"  # of version 0.1: whole seconds
    assert new_run(-5.0) != new_run(-5.0)
