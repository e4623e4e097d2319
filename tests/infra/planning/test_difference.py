import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_samples import STRATEGIES, plan, profile

from infra.planning import changes, render

OTHER_MODEL = {"s3_uri": "s3://greengrass-press/models/defects/1.1.0.tar.gz"}


def said(before: dict, after: dict) -> list[str]:
    return [str(change) for change in changes(before, after)]


def test_a_policy_that_an_api_gives_in_another_order_is_no_change():
    group = render(plan())
    turned = copy.deepcopy(group)
    policies = 0
    for function in turned["Functions"]:
        environment = function["FunctionConfiguration"].get("Environment", {})
        for policy in environment.get("ResourceAccessPolicies", []):
            policies += 1
            for key in sorted(policy):
                policy[key] = policy.pop(key)

    assert policies > 0
    assert said(group, turned) == []


def test_an_unchanged_site_changes_nothing():
    assert changes(render(plan()), render(plan())) == []


def test_more_workers_are_said_with_their_gpus():
    one_gpu = {"gpus": (profile().gpus[0].model_dump(),)}
    found = said(render(plan(on=profile(**one_gpu))), render(plan()))

    assert found[:2] == ["workers 1 → 2", "GPU 0 → 0,1"]
    assert "function w1 none → added" in found


def test_a_new_model_is_one_change():
    before = plan()
    after = plan(model={**OTHER_MODEL, "footprint": before.footprint.model_dump()})

    assert said(render(before), render(after)) == [
        "model s3://greengrass-press/models/defects/1.0.0.tar.gz → "
        "s3://greengrass-press/models/defects/1.1.0.tar.gz"
    ]


def test_a_number_that_many_functions_share_is_said_once():
    before = render(plan(copies_per_gpu=2))
    after = render(plan(copies_per_gpu=2, timeouts={"worker_s": 60}))

    assert "w0…w3 timeout_s 30 → 60" in said(before, after)


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
def test_another_strategy_is_said_first(strategy):
    found = said(render(plan()), render(plan(strategy=strategy)))

    assert found[0] == f"strategy pinned → {strategy}"


def test_a_camera_that_comes_brings_its_subscriptions():
    cameras = ({"name": "top"}, {"name": "side"}, {"name": "back"})
    found = said(render(plan()), render(plan(cameras=cameras)))

    assert found[0] == "cameras top,side → top,side,back"
    assert "subscription back:images:splitter none → added" in found


def test_a_first_deployment_is_all_new():
    found = [str(change) for change in changes(None, render(plan()))]

    assert found[0] == "strategy none → pinned"
    assert "function splitter none → added" in found


def test_new_code_is_said():
    before, after = render(plan()), render(plan())
    for document, digest in ((before, "a1"), (after, "b2")):
        for each in document["Lambdas"].values():
            each["CodeSha256"] = digest

    assert said(before, after) == [
        "fanfold-press-splitter…fanfold-press-aggregator CodeSha256 a1 → b2"
    ]


changed = st.fixed_dictionaries(
    {},
    optional={
        "strategy": st.sampled_from(STRATEGIES),
        "batch": st.integers(1, 3),
        "window": st.integers(1, 2),
        "cameras": st.sampled_from([({"name": "top"},), ({"name": "side"}, {"name": "top"})]),
        "isolation": st.sampled_from(["none", "container"]),
        "hooks": st.sampled_from(["a", "b"]),
        "cloud": st.sampled_from([{"mqtt": False}, {"batch_s": 2.0}]),
        "copies_per_gpu": st.integers(1, 2),
        "spooler": st.sampled_from([{"max_size_bytes": 300_000}]),
        "logging": st.sampled_from([{"cloudwatch": True}, {"level": "DEBUG"}]),
        "core": st.sampled_from([{"thing": "other"}]),
    },
)


@settings(deadline=None)
@given(changed, changed)
def test_there_are_changes_exactly_when_the_documents_differ(one, other):
    before, after = render(plan(**one)), render(plan(**other))

    assert bool(changes(before, after)) == (before != after)
