from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.topic_filters import TopicIndex, filter_problem, matches, topic_problem

LEVELS = st.sampled_from(["", "a", "b", "$sys"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda levels, tail: "/".join([*levels, *tail]),
    st.lists(st.sampled_from(["", "a", "b", "$sys", "+"]), max_size=4),
    st.sampled_from([["#"], ["a"], ["+"]]),
)


def oracle(subject: str, topic: str) -> bool:
    """MQTT 3.1.1 §4.7, level by level and without an index."""
    if topic.startswith("$") and subject[0] in "+#":
        return False
    wanted, given_levels = subject.split("/"), topic.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return len(given_levels) >= position
        if position >= len(given_levels) or level not in ("+", given_levels[position]):
            return False
    return len(wanted) == len(given_levels)


@given(FILTERS, TOPICS)
def test_a_filter_takes_exactly_what_the_standard_says(subject: str, topic: str) -> None:
    assert matches(subject, topic) == oracle(subject, topic)


@given(st.lists(FILTERS, max_size=8), TOPICS)
def test_an_index_finds_every_filter_once(subjects: list[str], topic: str) -> None:
    index = TopicIndex([(s, s) for s in subjects])
    found = index.find(topic)
    assert sorted(found) == sorted({s for s in subjects if oracle(s, topic)})


@pytest.mark.parametrize("subject", ["", "a/#/b", "a+", "+a/b", "a#"])
def test_a_wildcard_that_does_not_fill_a_level_is_refused(subject: str) -> None:
    assert filter_problem(subject)


@pytest.mark.parametrize(
    "topic", ["", "a/+", "#", "x" * 257, "a/b/c/d/e/f/g/h/i", "a\0b"], ids=repr
)
def test_an_unpublishable_topic_is_refused_in_words(topic: str) -> None:
    assert topic_problem(topic)


def test_the_longest_and_the_deepest_topic_are_taken() -> None:
    assert topic_problem("x" * 256) is None
    assert topic_problem("a/b/c/d/e/f/g/h") is None
