"""When a canary's new model may serve: every bound, every order of images."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.canary.comparison import FEWEST, P99_FROM, Comparison
from edgecore.canary.rule import VARIABLE, CanaryRule, rule_of

OWN_FAULT = {"status": "failed", "reason": "truncated"}
MODEL_ERROR = {"status": "failed", "reason": "model_error", "detail": "no such class"}


def ok(label: str = "part", ms: float = 10.0) -> Any:
    output = {"top": [{"label": label, "index": 0, "score": 0.9}]}
    return {
        "status": "ok", "stream": "cam1", "seq": 1, "task": "classification", "output": output,
        "ms": {"inference": ms},
    }  # fmt: skip


def compared(rule: CanaryRule, pairs: list[tuple[Any, Any]]) -> Comparison:
    comparison = Comparison(rule)
    for old, new in pairs:
        comparison.add(old, new)
    return comparison


RULES = st.builds(
    CanaryRule,
    images=st.integers(1, 60),
    max_disagreement=st.floats(0, 1),
    max_slowdown=st.floats(1, 3),
)
FATES = st.lists(
    st.sampled_from([
        (ok(), ok()), (ok(), ok("hole")), (ok(), MODEL_ERROR), (MODEL_ERROR, ok()),
        (MODEL_ERROR, MODEL_ERROR), (OWN_FAULT, OWN_FAULT), (ok(), OWN_FAULT), (OWN_FAULT, ok()),
    ]),
    max_size=80,
)  # fmt: skip


@given(RULES, FATES, st.booleans())
def test_it_may_serve_only_with_enough_images_within_the_share(rule, pairs, time_is_up):
    comparison = compared(rule, pairs)

    said = comparison.verdict(time_is_up=time_is_up)

    if said is True:
        assert comparison.compared >= min(FEWEST, rule.images)
        assert comparison.disagreed <= rule.max_disagreement * comparison.compared
    if said is None:
        assert not time_is_up
        assert comparison.compared < rule.images
    if time_is_up:
        assert said is not None


@given(FATES)
def test_every_image_is_counted_once(pairs):
    summary = compared(CanaryRule(), pairs).summary()

    assert summary["compared"] + summary["not_comparable"] == len(pairs)
    agreed = sum(task["agreed"] for task in summary["agreement"].values())
    assert agreed + summary["disagreed"] + summary["improved"] == summary["compared"]


@given(RULES, FATES)
def test_a_sentence_before_the_end_holds_whatever_comes_after(rule, pairs):
    """Refused early means that no further images of this canary could have changed it."""
    comparison = compared(rule, pairs)
    if isinstance(comparison.verdict(time_is_up=False), str) and comparison.compared < rule.images:
        while comparison.compared < rule.images:
            comparison.add(ok(), ok())
        assert isinstance(comparison.verdict(time_is_up=False), str)


@given(st.lists(st.floats(0.1, 50), min_size=20, max_size=150), st.floats(1, 3))
def test_a_model_as_fast_as_the_old_one_is_never_too_slow(times, slowdown):
    rule = CanaryRule(images=20, max_slowdown=slowdown)

    assert compared(rule, [(ok(ms=t), ok(ms=t)) for t in times]).verdict(time_is_up=False) is True


def test_a_slower_median_is_refused_with_both_times():
    rule = CanaryRule(images=20, max_slowdown=1.2)

    said = compared(rule, [(ok(ms=10), ok(ms=15))] * 20).verdict(time_is_up=False)

    assert "takes 15.0 ms for an image (median), the old one 10.0 ms on the same 20" in str(said)


def test_a_difference_below_the_clocks_noise_is_none():
    rule = CanaryRule(images=20)

    assert compared(rule, [(ok(ms=0.5), ok(ms=1.4))] * 20).verdict(time_is_up=False) is True


@pytest.mark.parametrize(("images", "refused"), [(P99_FROM, True), (P99_FROM - 1, False)])
def test_a_slow_tail_is_refused_where_there_are_images_enough_to_have_one(images, refused):
    rule = CanaryRule(images=images)
    pairs = [(ok(ms=10), ok(ms=10))] * (images - 2) + [(ok(ms=10), ok(ms=90))] * 2

    said = compared(rule, pairs).verdict(time_is_up=False)

    assert ("p99" in str(said)) is refused


def test_a_death_counts_what_the_worker_had_against_the_new_model():
    comparison = compared(CanaryRule(images=100, max_disagreement=0.05), [(ok(), ok())] * 10)
    comparison.died(6)

    assert "6 of 16 images, 6 of them failed by the new one" in str(
        comparison.verdict(time_is_up=False)
    )


def test_a_model_that_answers_what_the_old_one_fails_may_serve():
    comparison = compared(CanaryRule(images=30), [(MODEL_ERROR, ok())] * 30)

    assert comparison.verdict(time_is_up=False) is True


def test_too_few_images_in_time_are_no_proof():
    said = compared(CanaryRule(images=500), [(ok(), ok())] * 3).verdict(time_is_up=True)

    assert "only 3 of 500 images were compared in 3600 s" in str(said)


def test_the_worst_disagreements_are_kept_with_both_answers():
    comparison = compared(CanaryRule(), [(ok(), ok("hole"))] * 100)

    assert len(comparison.worst) == 20
    assert comparison.worst[0]["old"]["top"][0]["label"] == "part"
    assert comparison.worst[0]["new"]["top"][0]["label"] == "hole"


@pytest.mark.parametrize("text", ["{", "[]", '{"images":"x"}', "1"])
def test_a_rule_that_cannot_be_read_is_the_default(text):
    assert rule_of({VARIABLE: text}) == CanaryRule()


def test_without_the_variable_there_is_no_canary():
    assert rule_of({}) is None
