from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.topic_filters import matches
from edgecore.mqtt.topics import filter_problem, topic_problem

levels = st.sampled_from(["", "a", "b", "$x", "+"])
topics = st.lists(st.sampled_from(["", "a", "b", "$x"]), min_size=1, max_size=4).map("/".join)
filters = st.lists(levels, min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from(["/".join(parts), "/".join([*parts, "#"])])
)


def _oracle(topic_filter: str, topic: str) -> bool:
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    parts = topic_filter.split("/")
    tail = parts[-1] == "#"
    body = "/".join("[^/]*" if p == "+" else re.escape(p) for p in parts[: -1 if tail else None])
    pattern = (f"{body}(/.*)?" if body or len(parts) > 1 else ".*") if tail else body
    return re.fullmatch(pattern, topic) is not None


@given(filters, topics)
def test_matching_agrees_with_a_regular_expression(topic_filter: str, topic: str) -> None:
    assert matches(topic_filter, topic) == _oracle(topic_filter, topic)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/x", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/x", True),
    ],
)
def test_the_standards_own_examples(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


@pytest.mark.parametrize(
    ("topic", "word"),
    [
        ("", "empty"),
        ("a/+", "wildcard"),
        ("x" * 257, "limit 256"),
        ("/" * 8, "limit 7"),
        ("$aws/things/cam2/jobs/x", "reserved"),
        ("$SYS/x", "reserved"),
    ],
)
def test_a_refused_topic_says_why(topic: str, word: str) -> None:
    assert word in (topic_problem(topic, "cam1") or "")


@pytest.mark.parametrize(
    "topic", ["a", "x" * 256, "/" * 7, "$aws/things/cam1/shadow/update/accepted"]
)
def test_an_allowed_topic_has_no_problem(topic: str) -> None:
    assert topic_problem(topic, "cam1") is None


@pytest.mark.parametrize("topic_filter", ["", "a/#/b", "a#", "a+/b", "$aws/#", "/" * 8])
def test_a_malformed_or_reserved_filter_is_refused(topic_filter: str) -> None:
    assert filter_problem(topic_filter, "cam1")


@pytest.mark.parametrize("topic_filter", ["#", "+", "a/+/b/#", "$aws/things/cam1/shadow/#"])
def test_a_proper_filter_has_no_problem(topic_filter: str) -> None:
    assert filter_problem(topic_filter, "cam1") is None
