"""The health gate's verdict from reports."""

from __future__ import annotations

from fanfold.rollout.health import Limits, Report, ill, judge
from fanfold.rollout.state import Stand


def report(core: str = "c", part: str = "splitter", **values: int) -> Report:
    return Report(core, part, 0.0, values)


def images(results: int, failed: int) -> Report:
    return report(part="aggregator", results=results, failed=failed)


READY = report(workers_ready=2)


def test_a_site_that_reports_as_before_is_healthy():
    verdict = judge([READY, images(100, 1)], [READY, images(100, 1)], Limits())

    assert verdict.stand is Stand.HEALTHY
    assert "100 images, 1 failed" in verdict.why


def test_more_failures_than_before_and_the_margin_are_unhealthy():
    before = [READY, images(1000, 20)]

    assert judge(before, [READY, images(100, 3)], Limits(1.0)).stand is Stand.HEALTHY
    verdict = judge(before, [READY, images(100, 4)], Limits(1.0))
    assert verdict.stand is Stand.UNHEALTHY
    assert verdict.why.startswith("4.0 % of 100 images failed, 2.0 % before")


def test_a_site_without_a_ready_worker_is_unhealthy_by_its_newest_report():
    none = report(workers_ready=0, workers=2)

    assert "no worker is ready on c" in judge([], [READY, none], Limits()).why
    assert judge([], [none, READY], Limits()).stand is Stand.HEALTHY


def test_a_core_that_calls_itself_down_is_unhealthy_at_the_end_but_may_be_while_it_starts():
    reasons = [{"code": "model_fails", "subject": "the model fails every image"}]
    down = Report("c", "core", 0.0, {"verdict": "down", "reasons": reasons})
    fine = Report("c", "core", 0.0, {"verdict": "ok", "reasons": []})

    assert ill([], [down], Limits()) == ""
    assert judge([], [down, fine], Limits()).stand is Stand.HEALTHY
    verdict = judge([], [READY, fine, down], Limits())
    assert verdict.why == "c is down: the model fails every image"
    assert verdict.stand is Stand.UNHEALTHY


def test_workers_that_restart_as_often_as_the_sites_own_alarm_says_are_unhealthy():
    once = report(workers_ready=2, worker_restarts=1)

    assert ill([], [once, once], Limits(restarts=3)) == ""
    assert "restarted 3 times" in ill([], [once, once, once], Limits(restarts=3))


def test_a_site_that_falls_silent_is_bad_and_one_that_was_silent_is_off():
    assert judge([READY], [], Limits()).stand is Stand.UNHEALTHY
    assert judge([], [], Limits()).stand is Stand.AWAY


def test_one_box_of_a_thing_group_that_falls_silent_is_named():
    both = [report("box-1", workers_ready=2), report("box-2", workers_ready=2)]

    verdict = judge(both, both[:1], Limits())

    assert verdict.stand is Stand.UNHEALTHY
    assert "box-2" in verdict.why


def test_a_site_that_returned_while_it_was_told_is_healthy():
    assert judge([], [READY], Limits()).stand is Stand.HEALTHY
