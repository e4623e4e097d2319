"""A job that brings another version of the core: the launcher starts it, or goes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from job_device import Device, Killed, kill_once_at
from jobs_cloud import JobsService, job
from served_files import Files

from edgecore.jobs.core_update import CoreUpdate


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
