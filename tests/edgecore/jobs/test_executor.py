"""A job does what it says, once, or nothing: whatever is wrong with it and whenever power goes."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_cloud import Deployed, FakeLink, Files, JobsService, group_document, job, web_files

from edgecore.core import fault_points
from edgecore.jobs import artifacts as artifacts_module
from edgecore.jobs.artifacts import Artifacts
from edgecore.jobs.core_update import CoreUpdate
from edgecore.jobs.executor import Executor
from edgecore.uplink.backoff import Backoff

DEADLINE_S = 30.0
POINTS = sorted(p for p in fault_points.POINTS if p.startswith("job.") and p != "job.before_core")


class Killed(BaseException):
    """Power is gone: nothing runs any more, not even a handler."""


@pytest.fixture
def files() -> Iterator[Files]:
    with web_files() as served:
        yield served


@pytest.fixture(autouse=True)
def _no_plan() -> Iterator[None]:
    yield
    fault_points.install(None)


def kill_once_at(point: str) -> None:
    kills = iter([True])

    def plan(reached: str, _facts: Any) -> None:
        if reached == point and next(kills, False):
            raise Killed

    fault_points.install(plan)


class Device:
    """One state directory; a core may start there again and again."""

    def __init__(self, state: Path, service: JobsService) -> None:
        self.state, self.service = state, service
        state.mkdir(exist_ok=True)
        self.deployed = Deployed(state)
        self.core_update = CoreUpdate({})

    def executor(self) -> Executor:
        def no_s3(*_: Any) -> Any:
            raise AssertionError("nothing is on S3 here")

        self.link = FakeLink(self.service)
        return Executor(
            self.link,  # type: ignore[arg-type]
            self.state,
            thing="hall-core",
            site="hall",
            deployments=self.deployed,
            artifacts=Artifacts(self.state / "jobs/parts", no_s3),
            backoff=Backoff(base_s=0.01, cap_s=0.02),
            core_update=self.core_update,
        )

    def run_until(self, check: Callable[[], object]) -> None:
        async def scenario() -> None:
            executor = self.executor()
            task = asyncio.ensure_future(executor.run())
            try:
                async with asyncio.timeout(DEADLINE_S):
                    while not check():
                        if task.done():
                            task.result()
                        await asyncio.sleep(0.005)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(scenario())

    def run_until_ended(self, *job_ids: str) -> None:
        ended = ("SUCCEEDED", "FAILED", "REJECTED")
        self.run_until(
            lambda: (
                all(self.service.executions[j].status in ended for j in job_ids)
                and not (self.state / "jobs/current.json").exists()
            )
        )


@pytest.fixture
def service() -> JobsService:
    return JobsService()


@pytest.fixture
def device(tmp_path: Path, service: JobsService) -> Device:
    return Device(tmp_path / "state", service)


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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"v": 2}, "version 2: this core executes version 1"),
        ({"site": "attic"}, "is for site 'attic', this core belongs to 'hall'"),
        ({"issued_at": "now"}, "issued_at is 'now'"),
        ({"timeout_s": 5}, "timeout_s is 5"),
        ({"group": None}, "group is missing"),
        ({"code": []}, "the job has no code for it"),
        ({"model": None}, "is a model and the job brings none"),
        ({"group_document": group_document("other-core")}, "the group's core is 'other-core'"),
        ({"group_document": {"Core": 3}}, "cannot be used"),
    ],
)
def test_a_document_that_is_not_for_this_core_is_refused_in_one_sentence(
    device: Device, service: JobsService, files: Files, change: dict[str, Any], said: str
) -> None:
    one = service.queue("j1", job(files, 1, **change))
    device.run_until_ended("j1")
    assert one.status == "REJECTED"
    assert said in one.details["reason"]
    assert device.deployed.deployed == []


def test_a_job_of_somebody_else_is_refused(device: Device, service: JobsService) -> None:
    one = service.queue("reboot", {"operation": "reboot"})
    device.run_until_ended("reboot")
    assert one.status == "REJECTED"
    assert "none of Fanfold's" in one.details["reason"]


@pytest.mark.parametrize("which", ["group", "model"])
def test_a_wrong_digest_fails_before_anything_is_touched(
    device: Device, service: JobsService, files: Files, which: str
) -> None:
    document = job(files, 1)
    document[which]["sha256"] = "0" * 64
    one = service.queue("j1", document)
    device.run_until_ended("j1")
    assert one.status == "FAILED"
    assert f"{which}: SHA-256 is" in one.details["reason"]
    assert device.deployed.deployed == []
    assert not (device.state / "cache").exists()


def test_an_artifact_larger_than_it_says_is_cut_off(
    device: Device, service: JobsService, files: Files
) -> None:
    document = job(files, 1)
    document["model"]["size"] = 10
    one = service.queue("j1", document)
    device.run_until_ended("j1")
    assert one.status == "FAILED"
    assert "larger than the 10 bytes" in one.details["reason"]


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    device: Device, service: JobsService, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = namedtuple("disk", "f_bavail f_frsize")(10 << 20, 1)
    monkeypatch.setattr(artifacts_module.os, "statvfs", lambda _path: disk)
    one = service.queue("j1", job(files, 1))
    device.run_until_ended("j1")
    assert one.status == "FAILED"
    assert "not enough space" in one.details["reason"]
    assert files.asked == []


def test_a_download_that_breaks_off_goes_on_where_it_was(
    device: Device, service: JobsService, files: Files
) -> None:
    document = job(files, 1)
    files.cut_at["model-1.tar.gz"] = 40
    one = service.queue("j1", document)
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"
    assert ("model-1.tar.gz", "bytes=40-") in files.asked


def test_a_presigned_address_that_has_expired_is_asked_for_anew(
    device: Device, service: JobsService, files: Files
) -> None:
    document = job(files, 1)
    fresh = document["model"]["uri"]
    document["model"]["uri"] = f"{fresh}?old"
    one = service.queue("j1", document)

    def status(path: str) -> int:
        if not path.endswith("?old"):
            return 200
        one.document = {**document, "model": {**document["model"], "uri": fresh}}
        return 403

    files.status = status
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"


def test_an_object_that_stays_forbidden_fails_the_job(
    device: Device, service: JobsService, files: Files
) -> None:
    files.status = lambda path: 403 if path.startswith("model") else 200
    one = service.queue("j1", job(files, 1))
    device.run_until_ended("j1")
    assert one.status == "FAILED"
    assert "answers 403 again" in one.details["reason"]


def test_a_server_that_is_away_is_waited_for(
    device: Device, service: JobsService, files: Files
) -> None:
    answers = iter([503, 503])
    files.status = lambda path: next(answers, 200) if path.startswith("group") else 200
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


def test_a_core_of_another_version_needs_a_launcher(
    device: Device, service: JobsService, files: Files
) -> None:
    core = {"version": "9.9.9", **files.put("core.tar.gz", b"core")}
    one = service.queue("j1", job(files, 1, core=core))
    device.run_until_ended("j1")
    assert one.status == "FAILED"
    assert "no launcher" in one.details["reason"]
    assert device.deployed.deployed == []


def launched(folder: Path, version: str) -> CoreUpdate:
    folder.mkdir(exist_ok=True)
    return CoreUpdate({"FANFOLD_LAUNCHER": str(folder), "FANFOLD_VERSION": version})


def test_a_core_that_the_launcher_started_goes_on_with_the_job_as_the_new_version(
    device: Device, service: JobsService, files: Files, tmp_path: Path
) -> None:
    core = {"version": "9.9.9", **files.put("core.tar.gz", b"core")}
    one = service.queue("j1", job(files, 1, core=core))
    device.core_update = launched(tmp_path / "launcher", "0.1.0-a")
    request = tmp_path / "launcher/request.json"
    kill_once_at("job.before_core")
    with pytest.raises(Killed):
        device.run_until(request.exists)
    assert not request.exists()
    device.run_until(request.exists)
    asked = json.loads(request.read_text())
    assert Path(asked["archive"]).read_bytes() == b"core"
    assert device.deployed.deployed == []
    device.core_update = launched(tmp_path / "launcher", "9.9.9")
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"
    assert one.details["core"] == "9.9.9"


def test_a_core_that_the_launcher_went_back_from_fails_the_job(
    device: Device, service: JobsService, files: Files, tmp_path: Path
) -> None:
    core = {"version": "9.9.9", **files.put("core.tar.gz", b"core")}
    one = service.queue("j1", job(files, 1, core=core))
    device.core_update = launched(tmp_path / "launcher", "0.1.0-a")
    device.run_until((tmp_path / "launcher/request.json").exists)
    result = {"v": 1, "version": "9.9.9", "outcome": "went_back", "reason": "was not ready",
        "running": "0.1.0-a"}  # fmt: skip
    (tmp_path / "launcher/result.json").write_text(json.dumps(result))
    device.run_until_ended("j1")
    assert one.status == "FAILED"
    assert "9.9.9: went back: was not ready" in one.details["reason"]
    assert device.deployed.deployed == []


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
