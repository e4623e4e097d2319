"""The cloud's messages reach what the group routes to, and nobody else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.topic_filters import filter_problem, matches
from edgecore.core.group import CLOUD, Group, Subscription, Thing
from edgecore.uplink.iot.downlink import covers, wanted

LEVELS = st.sampled_from(["a", "b", "+", "#", "$aws"])
FILTERS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(
    lambda text: filter_problem(text) is None
)  # fmt: skip
TOPICS = st.lists(st.sampled_from(["a", "b", "$aws"]), min_size=1, max_size=5).map("/".join)


def group_of(*subscriptions: tuple[str, str]) -> Group:
    thing = Thing(id="c", thing_name="c", thing_arn="arn:c", certificate_arn="")
    return Group(
        name="g", id="g", version="1", region="r", core=thing,
        subscriptions=tuple(
            Subscription(id=str(n), source=source, subject=subject, target="arn:f")
            for n, (source, subject) in enumerate(subscriptions)
        ),
    )  # fmt: skip


def test_only_subjects_with_the_cloud_as_source_are_asked_for_and_each_once() -> None:
    group = group_of(
        (CLOUD, "hall/#"), (CLOUD, "hall/control"), (CLOUD, "x/+"), (CLOUD, "x/+"), ("arn:d", "y")
    )
    assert wanted(group) == ["hall/#", "x/+"]


@settings(max_examples=300, deadline=None)
@given(FILTERS, FILTERS, TOPICS)
def test_a_filter_that_covers_another_takes_all_its_topics(
    wide: str, narrow: str, topic: str
) -> None:
    if covers(wide, narrow) and matches(narrow, topic):
        assert matches(wide, topic)
