"""Rules of AWS IoT in the development cloud: what is published goes where they say."""

from __future__ import annotations

import pytest

from devcloud.mqtt_topics import matches
from devcloud.plugin.topic_rules import RuleRefused, _check, fill


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        ("fanfold/a/results", "fanfold/a/results", True),
        ("fanfold/+/results", "fanfold/a/results", True),
        ("fanfold/#", "fanfold/a/results", True),
        ("fanfold/+", "fanfold/a/results", False),
        ("fanfold/a/results/x", "fanfold/a/results", False),
    ],
)
def test_a_rule_takes_the_topics_that_fit_its_filter(pattern, topic, fits):
    assert matches(pattern, topic) is fits


def test_a_key_is_filled_from_the_topic_and_the_message():
    message = {"partition": "day=2026-11-25/hour=14", "n": 3}

    filled = fill("b/site=${topic(2)}/${partition}/${n}-${gone}.json", "fanfold/a/results", message)

    assert filled == "b/site=a/day=2026-11-25/hour=14/3-undefined.json"


@pytest.mark.parametrize(
    ("sql", "actions", "words"),
    [
        ("SELECT a FROM 'x'", [], "SELECT a"),
        ("SELECT * FROM 'x'", [{"lambda": {}}], "lambda"),
    ],
)
def test_what_this_cloud_cannot_run_is_refused_when_the_rule_is_made(sql, actions, words):
    with pytest.raises(RuleRefused, match=words):
        _check(sql, actions)
