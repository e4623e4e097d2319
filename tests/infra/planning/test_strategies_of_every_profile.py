"""What holds for every strategy of every shipped profile."""

import json
from collections import Counter

import pytest
from every import every
from plan_samples import PROFILE_NAMES, STRATEGIES, document, plan, profile

from infra.planning import check, errors

PAIRS = [(name, strategy) for name in PROFILE_NAMES for strategy in STRATEGIES]
every_pair = pytest.mark.parametrize(("name", "strategy"), PAIRS)
OURS = ("splitter", "aggregator", "ip-detector", "cloud-spooler")


def compute(group):
    """The functions that run the model or its transform: role → functions."""
    found = {}
    for function in group["Functions"]:
        if function["Id"] not in OURS:
            variables = function["FunctionConfiguration"]["Environment"]["Variables"]
            found.setdefault(variables["FANFOLD_ROLE"], []).append(function)
    return found


@every_pair
def test_the_plan_has_no_error(name, strategy):
    assert errors(check(plan(on=profile(name), profile=name, strategy=strategy))) == []


@every_pair
def test_the_same_input_gives_the_same_bytes(name, strategy):
    assert json.dumps(document(name, strategy)) == json.dumps(document(name, strategy))


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_strategies_differ_in_functions_with_their_code_resources_and_subscriptions_only(name):
    groups = [document(name, strategy) for strategy in STRATEGIES]
    differing = {key for group in groups for key in group if group[key] != groups[0].get(key)}

    assert differing <= {"Functions", "Lambdas", "Resources", "Subscriptions"}
    assert "Functions" in differing


@every_pair
def test_every_function_has_its_own_qualified_arn_and_a_lambda_behind_it(name, strategy):
    group = document(name, strategy)
    arns = [
        f["FunctionArn"] for f in group["Functions"] if ":::function:GG" not in f["FunctionArn"]
    ]

    assert len(arns) == len(set(arns))
    assert every(arn.endswith(":live") for arn in arns)
    assert set(arns) == set(group["Lambdas"])


@every_pair
def test_subscriptions_name_only_what_the_group_has(name, strategy):
    group = document(name, strategy)
    known = {f["FunctionArn"] for f in group["Functions"]} | {"cloud"}
    known |= {device["ThingArn"] for device in group["Devices"]}

    assert group["Subscriptions"]
    assert {s[end] for s in group["Subscriptions"] for end in ("Source", "Target")} <= known


@every_pair
def test_each_strategy_renders_its_own_shape(name, strategy):
    roles = compute(document(name, strategy))
    pinned = {f["FunctionConfiguration"]["Pinned"] for fs in roles.values() for f in fs}

    assert ("transform" in roles) == (strategy == "decoupled")
    assert pinned == {strategy != "on_demand"}
    if strategy in ("pool", "on_demand"):
        assert sum(map(len, roles.values())) == 1


@pytest.mark.parametrize("strategy", ["pinned", "decoupled"])
@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_copies_cover_every_gpu_evenly(name, strategy):
    used = Counter(
        f["FunctionConfiguration"]["Environment"]["Variables"]["GPU_ID"]
        for f in compute(document(name, strategy))["inference"]
    )
    gpus = {str(gpu.index) for gpu in profile(name).gpus} or {"-1"}

    assert set(used) == gpus
    assert max(used.values()) - min(used.values()) <= 1
