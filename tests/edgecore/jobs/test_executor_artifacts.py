"""What a job brings: documents and artifacts that are refused, cut off, resumed or fetched anew."""

from __future__ import annotations

import threading
import time
from collections import namedtuple
from typing import Any

import pytest
from job_device import Device
from jobs_cloud import JobsService, group_document, job
from served_files import Files

from edgecore.jobs import artifacts as artifacts_module
from edgecore.jobs import journal as journal_module
from edgecore.uplink.iot.waiting import since_boot_s


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


@pytest.mark.parametrize("comes", ["slowly", "not at all"])
def test_a_job_taken_back_ends_its_download_while_it_still_comes(
    device: Device, service: JobsService, files: Files, comes: str
) -> None:
    """However long the rest would take: the device is the next job's, and no part is left."""
    one = service.queue("j1", job(files, 1))
    served = files.slow("model-1.tar.gz", 1 if comes == "slowly" else 0)

    def taken_back() -> bool:
        if served.began.is_set() and one.status == "IN_PROGRESS":
            one.status = "CANCELED"
            service.queue("j2", job(files, 2))
            device.executor_now.wake()
        return service.executions.get("j2") is not None

    device.run_until(lambda: taken_back() and device.has_ended("j2"))
    assert device.deployed.deployed == ["job-j2-1"]
    assert not served.whole.is_set(), "nobody waited for its end"
    assert not list((device.state / "jobs/parts").glob("*"))
    served.end()


def test_a_download_that_outlasts_the_jobs_time_fails_it(
    device: Device, service: JobsService, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = service.queue("j1", job(files, 1, timeout_s=60))
    served = files.slow("model-1.tar.gz", 1)
    monkeypatch.setattr(
        journal_module, "since_boot_s", lambda: since_boot_s() + 61 * served.began.is_set()
    )
    device.run_until_ended("j1")
    served.end()
    assert one.status == "FAILED"
    assert "not done within 60 s, in step fetching" in one.details["reason"]


@pytest.mark.parametrize("jump_s", [-5.0, 86_400.0])
def test_a_wall_clock_that_is_set_while_a_job_is_fetched_takes_none_of_its_time(
    device: Device,
    service: JobsService,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    jump_s: float,
) -> None:
    """As a device does that finds its time server soon after its start."""
    real, jumped = time.time, threading.Event()
    monkeypatch.setattr(time, "time", lambda: real() + jump_s * jumped.is_set())

    def status(name: str) -> int:
        jumped.set()
        return 200

    files.status = status
    one = service.queue("j1", job(files, 1))
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"
