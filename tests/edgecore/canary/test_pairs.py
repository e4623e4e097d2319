"""Copies under way: each image is compared once, or not at all, in every order of events."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edgecore.canary.pairs import PAIR_LIMIT_S, Pairs


def items(*numbers: int) -> list[Any]:
    return [{"stream": "cam1", "seq": n} for n in numbers]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["old", "new", "late", "died"]), st.integers(1, 6)), max_size=40
)


@given(EVENTS)
def test_an_image_is_paired_at_most_once_with_both_its_answers(events):
    pairs, found, now = Pairs(), [], 0.0
    pairs.begin("b1", "canary0", items(1, 2, 3), now)
    pairs.begin("b2", "canary1", items(4, 5, 6), now)
    for kind, number in events:
        if kind == "late":
            pairs.expire(now := now + PAIR_LIMIT_S / 2)
        elif kind == "died":
            pairs.died("canary0" if number <= 3 else "canary1")
        elif kind == "old":
            pairs.old({**items(number)[0], "who": "old"})
        else:
            pairs.new("b1" if number <= 3 else "b2", {**items(number)[0], "who": "new"})
        found += list(pairs.finished())

    assert all((old["who"], new["who"]) == ("old", "new") for old, new in found)
    assert all(old["seq"] == new["seq"] for old, new in found)
    assert max(Counter(old["seq"] for old, _ in found).values(), default=1) == 1
    pairs.expire(now + 2 * PAIR_LIMIT_S)
    assert not pairs.waiting
    assert not pairs.busy("canary0")


def test_a_worker_is_free_when_it_has_answered_its_copy_whole():
    pairs = Pairs()
    pairs.begin("b1", "canary0", items(1, 2), 0.0)
    pairs.new("b1", items(1)[0])
    assert pairs.busy("canary0")

    pairs.new("b1", items(2)[0])
    assert not pairs.busy("canary0")
    assert pairs.waiting


def test_a_worker_that_died_takes_its_unanswered_images_out_of_the_comparison():
    pairs = Pairs()
    pairs.begin("b1", "canary0", items(1, 2), 0.0)
    pairs.new("b1", items(1)[0])

    assert pairs.died("canary0") == 1
    for number in (1, 2):
        pairs.old(items(number)[0])
    assert [old["seq"] for old, _ in pairs.finished()] == [1]
