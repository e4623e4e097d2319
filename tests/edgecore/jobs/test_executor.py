"""A job does what it says, once, or nothing: whatever is wrong with it and whenever power goes."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from job_device import Device, Killed, kill_once_at
from jobs_cloud import JobsService, group_document, job
from served_files import Files

from edgecore.core import fault_points

POINTS = sorted(p for p in fault_points.POINTS if p.startswith("job.") and p != "job.before_core")


def test_a_job_is_fetched_checked_applied_and_told(
    device: Device, service: JobsService, files: Files
) -> None:
    one = service.queue("j1", job(files, 1))
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"
    assert [step for status, step in one.history if status == "IN_PROGRESS"] == [
        "fetching", "applying"
    ]  # fmt: skip
    assert device.deployed.running() == "job-j1-1"
    current = device.state / "deployment/current"
    assert (current / "lambdas/fanfold-hall-w0_live/main.py").read_text() == "x = 1"
    assert (current / "models/model/model.json").read_text() == '{"n": 1}'
    assert not list((device.state / "jobs/parts").glob("*")), "what was packed is gone"


def test_a_group_that_is_not_healthy_fails_with_the_cores_reason(
    device: Device, service: JobsService, files: Files
) -> None:
    service.queue("good", job(files, 1))
    device.run_until_ended("good")
    device.deployed.verdict = "function w0: exited with status 1: no such layer"
    bad = service.queue("bad", job(files, 2))
    device.run_until_ended("bad")
    assert bad.status == "FAILED"
    assert "no such layer" in bad.details["reason"]
    assert device.deployed.running() == "job-good-1"


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("healthy", [True, False], ids=["healthy", "unhealthy"])
def test_power_may_go_at_any_step_and_the_job_ends_once(
    device: Device, service: JobsService, files: Files, point: str, healthy: bool
) -> None:
    service.queue("old", job(files, 1))
    device.run_until_ended("old")
    device.deployed.verdict = "" if healthy else "it dies"
    device.deployed.deployed.clear()
    kill_once_at(point)
    one = service.queue("new", job(files, 2))
    with pytest.raises(Killed):
        device.run_until_ended("new")
    device.run_until_ended("new")
    assert one.status == ("SUCCEEDED" if healthy else "FAILED")
    assert device.deployed.running() == ("job-new-1" if healthy else "job-old-1")
    assert device.deployed.deployed == ["job-new-1"], "applied once"
    assert [s for s, _ in one.history].count(one.status) == 1


@pytest.mark.parametrize("most_listed", [None, 10])
def test_a_month_of_queued_jobs_runs_the_newest_once(
    device: Device, service: JobsService, files: Files, most_listed: int | None
) -> None:
    """Also where the cloud lists no more than its oldest ten at a time."""
    service.most_listed = most_listed
    jobs = [f"j{n}" for n in range(40)]
    for n, name in enumerate(jobs):
        service.queue(name, job(files, n))
    device.run_until_ended(*jobs)
    assert device.deployed.deployed == ["job-j39-1"]
    statuses = [service.executions[name].status for name in jobs]
    assert statuses == ["REJECTED"] * 39 + ["SUCCEEDED"]
    assert service.executions["j3"].details["reason"].startswith("superseded by job j")


def test_an_older_job_that_comes_late_is_refused(
    device: Device, service: JobsService, files: Files
) -> None:
    service.queue("new", job(files, 5))
    device.run_until_ended("new")
    service.queue("old", job(files, 4))
    device.run_until_ended("old")
    assert service.executions["old"].status == "REJECTED"
    assert device.deployed.deployed == ["job-new-1"]


def test_a_job_that_comes_again_is_answered_and_not_run_again(
    device: Device, service: JobsService, files: Files
) -> None:
    one = service.queue("j1", job(files, 1))
    device.run_until_ended("j1")
    one.status = "IN_PROGRESS"  # the cloud lost our word
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"
    assert device.deployed.deployed == ["job-j1-1"]


def test_a_job_taken_back_while_its_files_are_away_leaves_the_device_to_the_next(
    device: Device, service: JobsService, files: Files
) -> None:
    one = service.queue("j1", job(files, 1))

    def refused(name: str) -> int:
        one.status = "CANCELED"
        return 503 if name == "model-1.tar.gz" else 200

    files.status = refused
    service.queue("j2", job(files, 2))
    service.most_listed = 1
    device.run_until_ended("j2")
    assert device.deployed.deployed == ["job-j2-1"]
    assert one.status == "CANCELED"


@pytest.mark.parametrize("status", ["CANCELED", "TIMED_OUT"])
def test_a_job_taken_back_before_it_is_applied_changes_nothing(
    device: Device, service: JobsService, files: Files, status: str
) -> None:
    def take_back(one: Any, body: dict[str, Any]) -> None:
        if body["statusDetails"].get("step") == "applying":
            one.status = status

    service.before_update = take_back
    one = service.queue("j1", job(files, 1))
    device.run_until(
        lambda: one.status == status and device.state.joinpath("jobs/done.jsonl").exists()
    )
    assert device.deployed.deployed == []
    service.before_update = lambda *_: None
    service.queue("j2", job(files, 2))
    device.run_until_ended("j2")
    assert device.deployed.running() == "job-j2-1"


def test_an_update_whose_answer_was_lost_is_no_trouble(
    device: Device, service: JobsService, files: Files
) -> None:
    def twice(one: Any, body: dict[str, Any]) -> None:
        if body["statusDetails"].get("step") == "fetching" and one.version == 1:
            one.status, one.version = "IN_PROGRESS", 2  # an earlier send of the same update

    service.before_update = twice
    one = service.queue("j1", job(files, 1))
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"


def test_a_link_that_is_lost_in_the_trial_delays_only_the_report(
    device: Device, service: JobsService, files: Files
) -> None:
    device.deployed.verdict = None
    one = service.queue("j1", job(files, 1))
    device.run_until(lambda: device.deployed.deployed)
    service.down = True
    device.deployed.verdict = ""
    device.run_until(lambda: '"SUCCEEDED"' in (device.state / "jobs/current.json").read_text())
    service.down = False
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"
    assert device.deployed.deployed == ["job-j1-1"]


def second_is_compared(device: Device, service: JobsService, files: Files) -> Any:
    """The execution of a second job, whose model a canary compares with that of the first."""
    service.queue("j1", job(files, 1))
    device.run_until_ended("j1")
    device.deployed.compares = True
    return service.queue("j2", job(files, 2))


@pytest.mark.parametrize(
    ("reason", "status"), [("", "SUCCEEDED"), ("canary: the models disagree", "FAILED")]
)
def test_a_job_is_decided_by_its_canary_while_the_old_group_runs(
    device: Device, service: JobsService, files: Files, reason: str, status: str
) -> None:
    two = second_is_compared(device, service, files)
    device.run_until(lambda: device.deployed.candidate)
    assert device.deployed.running() == "job-j1-1"

    device.deployed.decide(reason)
    device.run_until_ended("j2")

    assert two.status == status
    assert two.details["reason"] == (reason or "healthy")
    assert device.deployed.running() == ("job-j1-1" if reason else "job-j2-1")


@pytest.mark.parametrize("status", ["CANCELED", "TIMED_OUT"])
def test_a_job_taken_back_while_its_canary_runs_ends_the_canary(
    device: Device, service: JobsService, files: Files, status: str
) -> None:
    two = second_is_compared(device, service, files)

    def take_back(one: Any, body: dict[str, Any]) -> None:
        if body["statusDetails"].get("step") == "canary":
            one.status = status

    service.before_update = take_back
    device.run_until(lambda: device.deployed.withdrawn)

    assert status in device.deployed.withdrawn
    assert device.deployed.candidate is None
    assert two.status == status
    assert device.deployed.running() == "job-j1-1"


def test_a_lost_link_does_not_end_a_jobs_canary(
    device: Device, service: JobsService, files: Files
) -> None:
    two = second_is_compared(device, service, files)
    device.run_until(lambda: device.deployed.candidate)
    service.down = True
    device.deployed.decide("")
    device.run_until(lambda: '"SUCCEEDED"' in (device.state / "jobs/current.json").read_text())
    service.down = False
    device.run_until_ended("j2")
    assert two.status == "SUCCEEDED"


def test_a_document_for_many_boxes_carries_each_ones_name(
    device: Device, service: JobsService, files: Files
) -> None:
    group = group_document("${thing}")
    one = service.queue("j1", job(files, 1, group_document=group, per_thing=True))
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"
    text = (device.state / "deployment/current/group.json").read_text()
    assert "thing/hall-core" in text
    assert "${thing}" not in text


def test_a_lost_journal_costs_nothing_but_a_second_look(
    device: Device, service: JobsService, files: Files
) -> None:
    one = service.queue("j1", job(files, 1))
    device.deployed.verdict = None
    device.run_until(lambda: device.deployed.deployed)
    shutil.rmtree(device.state / "jobs")
    device.deployed.verdict = ""
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"
    assert device.deployed.running() == "job-j1-1"
