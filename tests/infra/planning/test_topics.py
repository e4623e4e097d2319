import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.topic_filters import subject_problems as problems
from contract.topics import NAME, Topics


def test_topics_are_those_of_the_spec():
    topics = Topics("demo")

    assert topics.images("cam1") == "demo/images/cam1"
    assert topics.accepted("cam1") == "demo/images/cam1/accepted"
    assert topics.rejected("+") == "demo/images/+/rejected"
    assert topics.work_prefix == "demo/work/"
    assert (topics.done, topics.ack, topics.heartbeat) == (
        "demo/done",
        "demo/ack",
        "demo/heartbeat",
    )
    assert topics.cloud_results == "fanfold/demo/results"


@pytest.mark.parametrize("name", ["", "a/b", "Demo", "-demo", "d" * 42, "demo+"])
def test_a_site_name_that_is_not_one_topic_level_is_refused(name):
    with pytest.raises(ValueError, match="site name"):
        Topics(name)


@settings(deadline=None)
@given(st.from_regex(NAME, fullmatch=True), st.from_regex(NAME, fullmatch=True))
def test_every_topic_of_valid_names_is_valid(site, camera):
    topics = Topics(site)

    for topic in (topics.rejected(camera), topics.late_prefix + camera, topics.cloud_jobs):
        assert problems(topic) == []


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        ("a" * 257, "257 bytes long, 256 bytes allowed"),
        ("ä" * 129, "258 bytes long, 256 bytes allowed"),
        ("a/b/c/d/e/f/g/h/i", "8 slashes, 7 slashes allowed"),
        ("a//b", "an empty level"),
        ("", "an empty level"),
        ("a/b+", "'+' must be a whole level"),
        ("a/#/b", "'#' must be the whole last level"),
    ],
)
def test_what_greengrass_refuses_is_named(topic, problem):
    assert problem in problems(topic)


@pytest.mark.parametrize("topic", ["a" * 256, "a/b/c/d/e/f/g/h", "a/+/b", "a/#"])
def test_the_limit_itself_is_allowed(topic):
    assert problems(topic) == []
