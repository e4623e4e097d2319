"""From counters to what happened lately."""

from __future__ import annotations

from typing import Any

from edgecore.core.recent import WINDOW_S, Recent


def status(answered: int = 0, failed: int = 0, **more: Any) -> Any:
    counts = {"answered": answered, "failed": failed, "model_errors": failed}
    splitter = {"accepted": 0, "backlog": 0, **more}
    return {"stats": {"splitter": splitter, "aggregator": counts}}


def after(*steps: tuple[float, Any]) -> Any:
    recent = Recent()
    for at, each in steps:
        recent.tick(each, at)
    return recent.status()


def test_counts_are_of_the_last_minute() -> None:
    steps = [(0.0, status()), (1.0, status(30)), (50.0, status(40)), (70.0, status(65))]

    assert after(*steps)["answered"] == 35


def test_all_that_failed_stay_until_as_many_newer_ones_have_come() -> None:
    failing = [(0.0, status()), (1.0, status(0, 158))]
    assert after(*failing, (5000.0, status(0, 158)))["failed"] == 158

    mended = [*failing, (5000.0, status(25, 158)), (5001.0, status(30, 158))]
    assert after(*mended)["failed"] == 0


def test_a_part_that_starts_again_counts_from_zero() -> None:
    assert after((0.0, status(100)), (1.0, status(3)))["answered"] == 103


def test_a_backlog_from_which_nothing_is_finished_is_timed() -> None:
    waits = [(float(t), status(7, backlog=4)) for t in range(20)]

    assert after(*waits)["unanswered_s"] == 19.0
    assert after(*waits, (20.0, status(8, backlog=3)))["unanswered_s"] == 0.0


def test_time_in_which_all_workers_are_drained_is_no_waiting_for_them() -> None:
    drained = {"w0": {"state": "drained"}, "w1": {"state": "draining"}}
    waits = [(float(t), status(7, backlog=4, workers=drained)) for t in range(20)]
    resumed = [(20.0 + t, status(7, backlog=4, workers={"w0": {"state": "ready"}})) for t in (0, 1)]

    assert after(*waits)["unanswered_s"] == 0.0
    assert after(*waits, *resumed)["unanswered_s"] == 2.0


def test_time_in_which_the_core_itself_was_stopped_is_nobody_s_fault() -> None:
    assert after((0.0, status(7, backlog=4)), (900.0, status(7, backlog=4)))["unanswered_s"] <= 2


def test_refusals_are_kept_by_camera_with_their_age() -> None:
    refused = status(rejected_by_camera={"left": {"not_an_image": 3}})
    found = after((0.0, status()), (1.0, refused), (31.0, refused))["refused_images"]

    assert found == [{"camera": "left", "reason": "not_an_image", "count": 3, "since_s": 30.0}]


def test_what_the_spool_lost_before_this_start_is_no_news() -> None:
    old = {**status(), "cloud": {"dropped": 90}}
    new = {**status(), "cloud": {"dropped": 91}}

    assert after((0.0, old), (1.0, new))["cloud_lost"] == 1


def test_what_the_cloud_refused_and_is_set_aside_is_not_lost() -> None:
    def cloud(**reasons: int) -> Any:
        by_reason = {"dropped": sum(reasons.values()), "dropped_by_reason": reasons}
        return {**status(), "cloud": {**by_reason, "quarantined": {"topics": []}}}

    steps = [(0.0, cloud()), (1.0, cloud(not_authorized=7)),
             (2.0, cloud(not_authorized=8, quota_oldest=2))]  # fmt: skip
    assert after(*steps)["cloud_lost"] == 2


def test_the_window_is_a_minute() -> None:
    assert after((0.0, status()), (200.0, status()))["window_s"] == WINDOW_S
