"""Model packages that compute nothing: the ceiling, and accelerators that only wait."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fanfold.common.errors import FAILED, UserError
from fanfold.common.project import PROJECT
from fanfold.device.interpreters import device_python
from infra.planning.threads import ALLOCATOR
from models.package import pack

#: Runs of a footprint; the fastest fifth counts, so that other work on the machine does not.
REPEATS = 6


def folder_package(folder: Path, out: Path, footprint: Mapping[str, Any] | None = None) -> Path:
    """An unpacked model package (model.json and its files) as an archive at `out`. `footprint`:
    of this machine, instead of the one that it was packed with."""
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    pack(folder, {**model, "footprint": footprint} if footprint else model, out)
    return out


def footprint_here(folder: Path, photo: Path) -> dict[str, Any]:
    """What one copy of an unpacked package needs on this machine, in a few seconds: a package's
    own footprint is of where it was packed. Raises UserError."""
    python = device_python()
    if python is None:
        raise UserError("no interpreter for the Lambdas. Run `make setup`.", FAILED)
    command = [str(python), "-m", "models.footprint", str(folder), str(photo), str(REPEATS)]
    environment = {**os.environ, **ALLOCATOR, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(
            f"{folder}: its footprint cannot be measured:\n{done.stderr[-800:]}", FAILED
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def noop_package(work: Path) -> Path:
    """A network that answers at once without looking at pixels."""
    return _pack(work, "noop", {"runtime": "noop"}, transform_ms=0.1, inference_ms=0.1)


def simulated_package(work: Path, wait_ms: float, gpus: int, transform_ms: float = 8.0) -> Path:
    """An accelerator of `wait_ms` per image; `gpus` 0: every worker is one of its own.
    `transform_ms`: of this machine."""
    name = f"simulated-{gpus}x{wait_ms:g}ms"
    runtime = {"runtime": "simulated", "simulated": {"wait_ms": wait_ms, "gpus": gpus}}
    return _pack(work, name, runtime, transform_ms=transform_ms, inference_ms=wait_ms)


def _pack(
    work: Path, name: str, runtime: dict[str, Any], transform_ms: float, inference_ms: float
) -> Path:
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.txt").write_text("\n".join(f"class{i}" for i in range(10)) + "\n")
    model = {
        "v": 1,
        "name": name.replace(".", "-"),
        "version": "1.0.0",
        "task": "classification",
        "labels": "labels.txt",
        "input": {
            "name": "data",
            "shape": [1, 3, 512, 512],
            "layout": "NCHW",
            "colour": "rgb",
            "resize": "stretch",
            "interpolation": "bilinear",
        },
        "output": {"softmax": False, "top": 1},
        "threshold": 0.0,
        "footprint": {
            "memory_kb": 100000,
            "ms": {"transform": transform_ms, "inference": inference_ms},
        },
        **runtime,
    }
    out = work / f"{name}.tar.gz"
    pack(folder, model, out)
    return out
