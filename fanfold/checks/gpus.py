"""A profile's GPUs against this machine's driver."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from contract.accelerators.cards import AcceleratorError, GpuId, Inventory
from contract.accelerators.choosing import VISIBLE, choose
from contract.accelerators.looking import look
from fanfold.checks.outcome import Outcome, Subject, error, ok, warning
from infra.planning.profile import Accelerator


def gpus(subject: Subject) -> Outcome:
    """Every GPU of the profile against the driver here, by UUID; none is a normal case."""
    found = look()
    if subject.plan is None:
        said = "; ".join(str(card) for card in found.cards) or "none"
        return _restricted(f"NVIDIA GPUs: {said}", os.environ)
    profile = subject.plan.profile
    wanted = profile.accelerators
    missing = [problem for each in wanted if (problem := _missing(each, found))]
    if missing:
        problems = " ".join([*missing, *found.remarks])
        return error(
            f"profile {profile.name} has {len(wanted)} GPU(s): {problems}",
            "Load the driver (nvidia-smi), or use the profile of this machine (fanfold detect).",
        )
    return _restricted(f"{len(wanted)} GPU(s) of the profile are here", profile.environment)


def _missing(wanted: Accelerator, found: Inventory) -> str:
    """Why it cannot be had here; "": it can. Others than NVIDIA's are known by their files only."""
    if any(file.startswith("/dev/dri/") for file in wanted.devices):
        gone = [file for file in wanted.devices if not Path(file).exists()]
        return f"{wanted.name}: {', '.join(gone)} does not exist." if gone else ""
    if not found.cards:
        return f"{wanted.name} is not visible."
    try:
        choose(GpuId(wanted.index, wanted.slice), found.cards, wanted.uuid)
    except AcceleratorError as problem:
        return f"{problem}."
    return ""


def _restricted(text: str, environment: Mapping[str, str]) -> Outcome:
    restriction = environment.get(VISIBLE)
    if restriction is None:
        return ok(text)
    return warning(
        f"{text}; {VISIBLE}={restriction} is set, so GPU_ID counts within it",
        f"Remove {VISIBLE}, unless it is meant: each worker is given its card without it.",
    )
