"""The methods that Fanfold is compared with: where each runs, and what it can be asked."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.sampler import Sampler
from bench.stats import percentiles
from fanfold.common.errors import FAILED, MISSING, UserError
from fanfold.common.project import PROJECT
from fanfold.device.interpreters import device_python

TIMEOUT_S = 300
PEERS_PYTHON = PROJECT / ".venv-peers/bin/python"


@dataclass(frozen=True)
class Control:
    """One method: a module that prints one JSON object, and the scenarios that it knows.

    `packaged`: in scenario `real` it runs a compiled package as well, or only one.
    """

    module: str
    environment: Literal["device", "peers"]
    scenarios: frozenset[str]
    packaged: bool = False

    def python(self) -> Path | None:
        if self.environment == "device":
            return device_python()
        return PEERS_PYTHON if PEERS_PYTHON.exists() else None


def _control(
    name: str, environment: Literal["device", "peers"], *scenarios: str, packaged: bool = False
) -> Control:
    return Control(f"bench.methods.{name}", environment, frozenset(scenarios), packaged)


#: Ways to turn a file into a tensor; scenario `transform` runs all of them.
TRANSFORMS = {mode: _control("transforms", "device") for mode in ("article", "fast", "exact")}
CONTROLS = {
    "article_pool": _control("article_pool", "device", "real", "simulated"),
    "raw_loop": _control("raw_loop", "device", "real", packaged=True),
    "round_robin": _control("round_robin", "device", "slow-worker"),
    "ray": _control("ray_actors", "peers", "real", "noop", packaged=True),
    "litserve": _control("litserve_server", "peers", "real", "noop", packaged=True),
    "mms": _control("mms_server", "peers", "real", "noop"),
    "pytriton": _control("pytriton_server", "peers", "real", "noop", packaged=True),
    "benchmark_app": _control("benchmark_app", "peers", packaged=True),
}


def run_control(
    name: str, model: Path | None, workers: int, count: int, images: list[Path], *more: str
) -> dict[str, Any]:
    """One run of a control in a process of its own, with its memory and processor time.

    Raises UserError with what the method last said when it fails or takes over 300 s.
    """
    control = {**CONTROLS, **TRANSFORMS}[name]
    command = [str(_python(name, control)), "-m", control.module, "--workers", str(workers)]
    command += ["--count", str(count), *more]
    if model is not None:
        command += ["--model", str(model)]
    # MXNET_CPU_WORKER_NTHREADS: two callables in one process otherwise take turns (pytriton).
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MXNET_CPU_WORKER_NTHREADS": str(workers),
        "PYTHONPATH": str(PROJECT),
        "JAVA_TOOL_OPTIONS": "",
        # Ray kills its workers when it takes the machine's page cache for used memory.
        "RAY_memory_monitor_refresh_ms": "0",
        # By default it lowers the priority of its workers, which beside anything else decides.
        "RAY_worker_niceness": "0",
        "PATH": f"{Path(command[0]).parent}:{os.environ.get('PATH', '')}",
    }
    said, errors, peak_pss_kb = _run(name, [*command, *map(str, images)], environment)
    # Servers chat on the same stream.
    lines = [line for line in said.splitlines() if line.startswith('{"method"')]
    if not lines:
        raise UserError(f"{name} printed no result:\n{(said + errors)[-800:]}", FAILED)
    found: dict[str, Any] = json.loads(lines[-1])
    return {**_summed_up(found), "total_pss_kb": peak_pss_kb}


def _run(name: str, command: list[str], environment: dict[str, str]) -> tuple[str, str, int]:
    """→ (what it printed, its errors, peak PSS in kB of all its processes)."""
    # Files, not pipes: a server's orphans (LitServe's) hold a pipe open after its end.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=out, stderr=err, start_new_session=True
        )
        with Sampler(process.pid) as sampler:
            try:
                code = process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                raise UserError(f"{name} took over {TIMEOUT_S} s", FAILED) from None
            finally:
                sampler.end_tree()
        out.seek(0)
        err.seek(0)
        said, errors = out.read(), err.read()
    if code:
        raise UserError(f"{name} ended with {code}:\n{errors[-800:]}", FAILED)
    return said, errors, sampler.peak_pss_kb


def _summed_up(found: dict[str, Any]) -> dict[str, Any]:
    """Times of single images, where a method tells them, as percentiles by stage."""
    stages = {
        stage: percentiles(found.pop(f"{stage}_ms"))
        for stage in ("transform", "inference")
        if f"{stage}_ms" in found
    }
    return {**found, "stages_ms": stages} if stages else found


def _python(name: str, control: Control) -> Path:
    python = control.python()
    if python is None and control.environment == "peers":
        raise UserError(
            f"{name} needs the peers' environment {PEERS_PYTHON.parent.parent.name}: see "
            "bench/requirements-peers.txt, or leave it out of --methods",
            MISSING,
        )
    if python is None:
        raise UserError("no interpreter for the Lambdas. Run `make setup`.", MISSING)
    return python
