"""Rollouts of the development cloud's jobs: rates and rules, with a clock of our own."""

from __future__ import annotations

import pytest

from devcloud.iot.jobs.engine import Engine
from devcloud.iot.jobs.model import Job
from devcloud.iot.jobs.rollout import rate_per_minute
from devcloud.iot.policy import Request, allows
from devcloud.iot.settings import Settings, Throttle

THINGS = [f"t{n}" for n in range(100)]


def started(**more) -> tuple[Engine, Job]:
    engine = Engine(lambda target: list(THINGS))
    job = Job("j", "arn:job", ["group"], "{}", 0.0, **more)
    return engine, engine.add(job, 0.0)


def queued(job: Job) -> int:
    return len(job.attempts)


def test_a_constant_rate_tells_so_many_things_in_any_minute():
    engine, job = started(rollout={"maximumPerMinute": 7})

    seen = []
    for second in range(0, 181, 30):
        engine.tick(float(second))
        seen.append(queued(job))

    assert seen == [7, 7, 14, 14, 21, 21, 28]


def test_an_exponential_rate_grows_with_what_succeeded_and_stops_at_the_greatest():
    growth = {"baseRatePerMinute": 2, "incrementFactor": 2,
              "rateIncreaseCriteria": {"numberOfSucceededThings": 2}}  # fmt: skip
    engine, job = started(rollout={"maximumPerMinute": 10, "exponentialRate": growth})

    rates = [rate_per_minute(job)]
    for minute in range(1, 6):
        for thing in engine.jobs["j"].attempts:
            if engine.pending(thing):
                engine.update(job.attempts[thing][-1], "SUCCEEDED", minute * 60.0 - 1)
        engine.tick(minute * 60.0 + 0.1)
        rates.append(rate_per_minute(job))

    assert rates[0] == 2
    assert rates == sorted(rates)
    assert rates[-1] == 10


@pytest.mark.parametrize(("percent", "ends"), [(50, "IN_PROGRESS"), (40, "CANCELED")])
def test_the_abort_rule_counts_failures_among_what_has_ended(percent, ends):
    rule = {"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": percent,
            "minNumberOfExecutedThings": 5}  # fmt: skip
    engine, job = started(abort={"criteriaList": [rule]})

    for number, status in enumerate(["SUCCEEDED", "FAILED", "SUCCEEDED", "FAILED", "SUCCEEDED"]):
        engine.update(job.attempts[f"t{number}"][-1], status, 1.0)

    assert job.status == ends


def test_a_rejected_execution_is_never_tried_again():
    retry = {"criteriaList": [{"failureType": "ALL", "numberOfRetries": 3}]}
    engine, job = started(retry=retry)

    engine.update(job.attempts["t0"][-1], "REJECTED", 1.0)
    engine.update(job.attempts["t1"][-1], "FAILED", 1.0)

    assert len(job.attempts["t0"]) == 1
    assert [each.number for each in job.attempts["t1"]] == [1, 2]


def test_throughput_is_delayed_and_publishes_beyond_the_limit_are_lost():
    throttle = Throttle()

    assert [throttle.takes(2, 0.0), throttle.takes(2, 0.1), throttle.takes(2, 0.2)] == [
        True, True, False,
    ]  # fmt: skip
    assert throttle.takes(2, 1.05)
    assert throttle.wait_s(512_000, 512_000, 10.0) == 0.0
    assert throttle.wait_s(512_000, 512_000, 10.0) == pytest.approx(1.0)


def test_a_setting_that_is_none_is_refused_by_name():
    with pytest.raises(ValueError, match="no setting"):
        Settings().changed({"speed": 1})
    with pytest.raises(ValueError, match="publishes_per_s"):
        Settings().changed({"publishes_per_s": "many"})


def policy(effect: str, resource: str, **more):
    return {"Statement": [{"Effect": effect, "Action": "iot:*", "Resource": resource, **more}]}


@pytest.mark.parametrize(
    ("pattern", "resource", "context", "passes"),
    [
        ("topic/a/*", "topic/a/b/c", {}, True),
        ("topic/a/?", "topic/a/bc", {}, False),
        ("topic/a/+", "topic/a/b", {}, False),
        ("topic/${iot:ClientId}/x", "topic/me/x", {"iot:ClientId": "me"}, True),
        ("topic/${iot:ClientId}/x", "topic/other/x", {"iot:ClientId": "*"}, False),
        ("topic/${iot:Connection.Thing.ThingName}/x", "topic/t/x", {}, False),
        ("topic/${iot:Connection.Thing.ThingName}/x", "topic/anything/x",
         {"iot:Connection.Thing.ThingName": "*"}, False),
    ],
)  # fmt: skip
def test_a_policys_resource_matches_as_awss_does(pattern, resource, context, passes):
    found = allows([policy("Allow", pattern)], Request("iot:Publish", resource), context)

    assert found is passes


def test_what_no_policy_names_is_denied_and_an_unknown_condition_never_holds():
    odd = policy("Allow", "*", Condition={"NumericLessThan": {"iot:X": "1"}})

    assert not allows([], Request("iot:Connect", "client/a"), {})
    assert not allows([odd], Request("iot:Connect", "client/a"), {"iot:X": "0"})
