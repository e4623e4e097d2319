"""Nothing that a job, or this device's own disk, does ends the taking of jobs."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest
from job_device import Device
from jobs_cloud import JobsService, job
from served_files import Files

from edgecore.jobs import executor as executor_module
from edgecore.jobs import journal as journal_module


def test_a_disk_that_takes_no_note_of_a_job_delays_it_and_is_said_once(
    device: Device,
    service: JobsService,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real, left = journal_module.write_durably, iter(range(12))

    def full(path: Any, text: str) -> None:
        if next(left, None) is not None:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, text)

    monkeypatch.setattr(journal_module, "write_durably", full)
    one = service.queue("j1", job(files, 1))
    device.run_until_ended("j1")
    assert one.status == "SUCCEEDED"
    said = [r.message for r in caplog.records if "No space left" in r.message]
    assert len(said) == 1
    assert "free or repair the disk of --state" in said[0]


def test_a_job_that_the_core_stumbles_over_fails_and_the_next_one_runs(
    device: Device, service: JobsService, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(*_: Any) -> None:
        raise KeyError("what nobody thought of")

    monkeypatch.setattr(executor_module, "stage", stumbles)
    one = service.queue("j1", job(files, 1))
    device.run_until_ended("j1")
    assert one.status == "FAILED"
    assert "what nobody thought of" in one.details["reason"]
    monkeypatch.undo()
    service.queue("j2", job(files, 2))
    device.run_until_ended("j2")
    assert device.deployed.deployed == ["job-j2-1"]


def test_a_job_in_hand_that_another_version_of_the_core_took_and_this_one_refuses_is_rejected(
    device: Device, service: JobsService, files: Files
) -> None:
    one = service.queue("j1", job(files, 1, v=2))
    one.status, one.version = "IN_PROGRESS", 2
    record = {
        "job_id": "j1", "execution": 1, "version": 2, "document": one.document, "began_at": 1.0,
    }  # fmt: skip
    (device.state / "jobs").mkdir()
    (device.state / "jobs/current.json").write_text(json.dumps(record))
    device.run_until_ended("j1")
    assert one.status == "REJECTED"
    assert "this core executes version 1" in one.details["reason"]
    service.queue("j2", job(files, 2))
    device.run_until_ended("j2")
    assert device.deployed.deployed == ["job-j2-1"]
