"""A jobs service, and a device that asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from job_device import Device
from jobs_cloud import JobsService
from served_files import Files, web_files

from edgecore.core import fault_points


@pytest.fixture
def files() -> Iterator[Files]:
    with web_files() as served:
        yield served


@pytest.fixture(autouse=True)
def _no_plan() -> Iterator[None]:
    yield
    fault_points.install(None)


@pytest.fixture
def service() -> JobsService:
    return JobsService()


@pytest.fixture
def device(tmp_path: Path, service: JobsService) -> Device:
    return Device(tmp_path / "state", service)
