"""The doctor about what a strategy needs of the machine: MPS, and shared memory for tensors."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
from checkout import PROJECT

from fanfold.checks.machine import shared_memory
from fanfold.checks.outcome import Subject
from fanfold.checks.site import mps
from infra.planning import Plan, load_profile, plan_group
from infra.planning.site import Site

PROFILES = PROJECT / "device_profiles"


def subject(**changed: Any) -> Subject:
    site = {
        "name": "press", "profile": "two-gpu-industrial-pc", "account": "123456789012",
        "region": "eu-west-1", "core": {"thing": "press-core"}, "cameras": ({"name": "top"},),
        "volumes": {"images": "/srv/press/images", "state": "/srv/press/state"},
    }  # fmt: skip
    profile = load_profile(PROFILES / "two-gpu-industrial-pc.yaml")
    plan: Plan = plan_group(Site.model_validate({**site, **changed}), profile)
    return Subject(python=None, plan=plan, state=None)


def test_mps_that_the_site_wants_and_nobody_runs_is_an_error(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))

    found = mps(subject(mps=True))
    assert (found.level, found.fix[:23]) == ("error", "nvidia-cuda-mps-control")
    assert mps(subject()).level == "skipped"

    (tmp_path / "control").touch()
    assert mps(subject(mps=True)).level == "ok"
    assert "does not use it" in mps(subject()).message


@pytest.mark.parametrize(("free_mib", "level"), [(10, "error"), (100, "ok")])
def test_tensors_need_room_in_shared_memory(monkeypatch, free_mib: int, level: str) -> None:
    facts = SimpleNamespace(f_frsize=1 << 20, f_bavail=free_mib)
    monkeypatch.setattr(os, "statvfs", lambda _: facts)

    found = shared_memory(subject(strategy="decoupled", transforms=3))

    assert found.level == level
    assert "transforms need 37 MiB" in found.message
    assert shared_memory(subject()).level == "ok"
