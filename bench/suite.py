"""Scenarios and interleaved rounds: every round runs every method once, so ratios survive noise."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.group import Setting
from bench.methods import fanfold_path
from bench.packages import folder_package, noop_package, simulated_package
from fanfold.errors import FAILED, UserError
from fanfold.interpreters import device_python
from fanfold.project import PROJECT

SCENARIOS = ("real", "noop", "latency", "simulated", "slow-worker", "transform")
#: Methods of scenario `transform`: the article's, and Fanfold's two modes.
TRANSFORMS = ("article", "fast", "exact")
#: Method → (module, whether it runs in the peers' own environment).
CONTROLS = {
    "article_pool": ("bench.methods.article_pool", False),
    "raw_loop": ("bench.methods.raw_loop", False),
    "ray": ("bench.methods.ray_actors", True),
    "litserve": ("bench.methods.litserve_server", True),
}
TIMEOUT_S = 180
NOOP_FILES_PER_EVENT = 100
SIMULATED_MS = 35.0
SLOW_FACTOR = 4


@dataclass(frozen=True)
class Suite:
    """What to run; `model` is an unpacked package, needed for `real` only."""

    work: Path
    images: list[Path]
    model: Path | None
    count: int
    rounds: int
    methods: tuple[str, ...]

    def run(self, scenario: str, workers: int) -> Iterator[dict[str, Any]]:
        """Yield one measurement per method and round, labelled with both."""
        methods = self._methods(scenario)
        for number in range(self.rounds):
            for name in methods:
                found = self._one(scenario, name, workers)
                simulated = scenario in {"simulated", "slow-worker"}
                yield {
                    **found,
                    "method": name,
                    "scenario": scenario,
                    "round": number,
                    "simulated": simulated,
                }

    def _methods(self, scenario: str) -> tuple[str, ...]:
        if scenario == "transform":
            return TRANSFORMS
        # The controls need MXNet's network; the other scenarios' models are Fanfold's own.
        return self.methods if scenario == "real" else ("fanfold",)

    def _one(self, scenario: str, name: str, workers: int) -> dict[str, Any]:
        if scenario == "transform":
            given = ["--mode", name, "--count", str(self.count * 10)]
            return self._run(name, device_python(), "bench.methods.transforms", workers, given)
        if name != "fanfold":
            return self._control(name, workers)
        prepare: dict[str, Callable[[int], dict[str, Any]]] = {
            "real": self._real,
            "noop": self._noop,
            "latency": self._latency,
            "simulated": self._simulated,
            "slow-worker": self._slow_worker,
        }
        return prepare[scenario](workers)

    def _path(self, setting: Setting, package: Path, **more: Any) -> dict[str, Any]:
        more.setdefault("count", self.count)
        run = self.work / "run"
        return fanfold_path.measure(run, setting, package, self.images, **more)

    def _real(self, workers: int) -> dict[str, Any]:
        if self.model is None:
            raise UserError("scenario real needs --model FOLDER, an unpacked package", FAILED)
        package = self.work / "real.tar.gz"
        if not package.is_file():
            folder_package(self.model, package)
        # Batches of one: 16 images in batches of 8 would end with one worker idle.
        return self._path(Setting(workers, batch=1), package)

    def _noop(self, workers: int) -> dict[str, Any]:
        more = {"count": self.count * 100, "files_per_event": NOOP_FILES_PER_EVENT}
        return self._path(Setting(workers, batch=32), noop_package(self.work), **more)

    def _latency(self, _workers: int) -> dict[str, Any]:
        more = {"count": self.count * 5, "paced": True}
        return self._path(Setting(1), noop_package(self.work), **more)

    def _simulated(self, gpus: int) -> dict[str, Any]:
        found = self._path(
            Setting(gpus, batch=2, gpus=gpus),
            simulated_package(self.work, SIMULATED_MS, gpus),
            count=self.count * 10,
        )
        return {**found, "ideal_s": self.count * 10 * SIMULATED_MS / 1e3 / gpus}

    def _slow_worker(self, workers: int) -> dict[str, Any]:
        found = self._path(
            Setting(workers, batch=1),
            simulated_package(self.work, SIMULATED_MS * 2, 0),
            count=self.count * 10,
            slow_model=simulated_package(self.work, SIMULATED_MS * 2 * SLOW_FACTOR, 0),
        )
        speeds = (workers - 1 + 1 / SLOW_FACTOR) / (SIMULATED_MS * 2 / 1e3)
        return {**found, "ideal_s": self.count * 10 / speeds}

    def _control(self, name: str, workers: int) -> dict[str, Any]:
        module, peer = CONTROLS[name]
        python = PROJECT / ".venv-peers/bin/python" if peer else device_python()
        given = ["--model", str(self.model), "--count", str(self.count)]
        return self._run(name, python, module, workers, given)

    def _run(
        self, name: str, python: Path | None, module: str, workers: int, given: list[str]
    ) -> dict[str, Any]:
        """A method in a process of its own, which prints what it found as JSON."""
        command = [str(python), "-m", module, *given]
        command += ["--workers", str(workers), *map(str, self.images)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True,
            timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise UserError(f"{name} ended with {done.returncode}:\n{done.stderr[-800:]}", FAILED)
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return found
