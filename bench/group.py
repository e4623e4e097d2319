"""A site of the planner's own making for N workers on this machine, as files of a work folder."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fanfold.common.errors import INVALID, UserError
from fanfold.localcore.starting import with_local_files
from infra.packaging import LAMBDAS, build_lambdas
from infra.planning import Footprint, Plan, check, errors, estimate, load_site, plan_group, render
from infra.planning.capacity import PATH_MS

SITE = "bench"
CAMERA = "cam1"
PROFILE = "bench-machine"
#: More cores than the machine has may be planned for workers that only wait.
MEMORY_MB = 65536


@dataclass(frozen=True)
class Setting:
    """One candidate: what a site says about parallelism."""

    workers: int
    threads: int = 1
    batch: int = 8
    window: int = 2
    gpus: int = 0
    strategy: str = "pinned"
    transforms: int | None = None


@dataclass(frozen=True)
class Machine:
    """A device's own profile, and what of its site changes how fast an image is worked on.

    `lambdas`: the functions' sources.
    """

    profile: dict[str, Any]
    site: dict[str, Any] = field(default_factory=dict)
    hooks: dict[str, Path] = field(default_factory=dict)
    lambdas: Path = LAMBDAS


def write_group(  # noqa: PLR0913 - what a plan is made of, by name
    work: Path,
    setting: Setting,
    model: Path,
    slow_model: Path | None = None,
    machine: Machine | None = None,
    *,
    path_ms: float = PATH_MS,
) -> tuple[Path, float | None]:
    """→ (group document, the planner's estimate in images/s from the package's footprint).

    `slow_model` is what worker w0 runs instead. `machine`: None for a profile of this machine's
    cores and `setting.gpus` simulated GPUs. `path_ms`: CPU of an image around its stages, where
    images do not come as single events. Raises UserError where the plan is refused.
    """
    machine = machine or Machine(simulated_profile(setting))
    site, profile = load_site(_write_site(work, setting, model, machine), work / "profiles")
    made = plan_group(site, profile)
    if wrong := errors(check(made)):
        raise UserError("\n".join(map(str, wrong)), INVALID)
    for folder in (site.volumes.images, site.volumes.state):
        Path(folder).mkdir(parents=True, exist_ok=True)
    code = build_lambdas(work / "lambdas.zip", machine.lambdas, hooks=machine.hooks)
    document = with_local_files(render(made), code, model)
    predicted = _predicted(made, path_ms)
    if slow_model is not None:
        _replace_model(document, slow_model)
        predicted = _with_one_slow(made, slow_model, predicted, path_ms)
    path = work / "group.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path, predicted


def _predicted(made: Plan, path_ms: float) -> float | None:
    """Of this machine, whatever number of cores the plan was given for workers that only wait."""
    cores = min(made.profile.cpu_cores, len(os.sched_getaffinity(0)))
    here = made.profile.model_copy(update={"cpu_cores": cores})
    return estimate(replace(made, profile=here), path_ms).images_per_s


def _with_one_slow(
    made: Plan, slow_model: Path, predicted: float | None, path_ms: float
) -> float | None:
    """The planner knows one model: so many workers of each as there are, and their rates added."""
    from models.package import inspect

    slow = replace(made, footprint=Footprint.model_validate(inspect(slow_model).spec.footprint))
    if predicted is None or (slowest := _predicted(slow, path_ms)) is None:
        return None
    return round((predicted * (made.copies - 1) + slowest) / made.copies, 1)


def simulated_profile(setting: Setting) -> dict[str, Any]:
    transforms = setting.transforms or setting.workers if setting.strategy == "decoupled" else 0
    wanted = setting.workers * setting.threads + transforms
    return {
        "architecture": "x86_64",
        "cpu_cores": max(len(os.sched_getaffinity(0)), wanted),
        "memory_mb": MEMORY_MB,
        "reserved": {"cores": 0, "memory_mb": 512},
        "gpus": [
            {"index": i, "model": "simulated", "memory_mb": 16384, "devices": [f"/dev/nvidia{i}"]}
            for i in range(setting.gpus)
        ],
    }


def _write_site(work: Path, setting: Setting, model: Path, machine: Machine) -> Path:
    from models.package import inspect

    # The core runs the functions as plain processes here.
    profile = {**machine.profile, "name": PROFILE, "containers": {"supported": False}}
    footprint = inspect(model).spec.footprint
    site = {
        "name": SITE,
        "profile": PROFILE,
        "account": "123456789012",
        "region": "us-east-1",
        "core": {"thing": "bench-core"},
        "model": {"s3_uri": "s3://local/model.tar.gz", "footprint": footprint},
        "cameras": [{"name": CAMERA}],
        "volumes": {"images": str(work / "images"), "state": str(work / "parts")},
        "workers": setting.workers,
        "threads": setting.threads,
        "batch": setting.batch,
        "window": setting.window,
        "strategy": setting.strategy,
        **({} if setting.transforms is None else {"transforms": setting.transforms}),
        **machine.site,
    }
    (work / "profiles").mkdir(parents=True, exist_ok=True)
    # JSON is YAML: no writer needed.
    (work / "profiles" / f"{PROFILE}.yaml").write_text(json.dumps(profile), encoding="utf-8")
    path = work / f"{SITE}.yaml"
    path.write_text(json.dumps(site), encoding="utf-8")
    return path


def _replace_model(document: dict[str, Any], package: Path) -> None:
    """Worker w0 gets a second ML resource: same code, another model."""
    resource = next(
        r
        for r in document["Resources"]
        if "S3MachineLearningModelResourceData" in r["ResourceDataContainer"]
    )
    extra = copy.deepcopy(resource)
    extra["Id"] = extra["Name"] = "model-slow"
    data = extra["ResourceDataContainer"]["S3MachineLearningModelResourceData"]
    data["S3Uri"], data["DestinationPath"] = package.absolute().as_uri(), "/fanfold/model-slow"
    document["Resources"].append(extra)
    worker = next(f for f in document["Functions"] if f["Id"] == "w0")
    environment = worker["FunctionConfiguration"]["Environment"]
    environment["Variables"]["FANFOLD_MODEL_DIR"] = "/fanfold/model-slow"
    for policy in environment["ResourceAccessPolicies"]:
        if policy["ResourceId"] == resource["Id"]:
            policy["ResourceId"] = "model-slow"
