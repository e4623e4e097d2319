"""Scenarios in interleaved rounds: every round runs every method once, so ratios survive noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.controls import CONTROLS, TRANSFORMS, run_control
from bench.group import Setting
from bench.methods import fanfold_path
from bench.packages import folder_package, footprint_here, noop_package, simulated_package
from fanfold.common import output
from fanfold.common.errors import INVALID, UserError

Row = dict[str, Any]
#: Scenario → what it asks, in the words of `fanfold bench --help`.
SCENARIOS = {
    "real": "the model on this machine's CPU or GPU, beside the controls",
    "noop": "a model that does nothing: the ceiling of everything around it",
    "latency": "one image at a time through the no-op model: what the path adds",
    "simulated": "N accelerators that wait 35 ms per image, with the real transform",
    "transform": "the input transform alone, in fresh processes: the article's, fast and exact",
    "slow-worker": "one worker four times slower than the others (simulated)",
    "strategies": "pinned, decoupled, pool and on_demand beside one another (simulated)",
}
SIMULATED = ("simulated", "slow-worker", "strategies")
STRATEGIES = ("pinned", "decoupled", "pool", "on_demand")
NOOP_FILES_PER_EVENT = 100
SIMULATED_MS = 35.0
SLOW_MS = 70.0
SLOW_FACTOR = 4
TRANSFORM_IMAGES = 40
#: A compiled package gets more images, so that it runs as long: in 1.5 s the first image's way and
#: the last worker's end are 2 to 4 % of a run.
COMPILED_TIMES = 4
#: Of a row's method, where it has the compiled package.
COMPILED = " compiled"


@dataclass(frozen=True)
class Suite:
    """What to run. `model` and `compiled` are unpacked packages, needed for `real` only."""

    work: Path
    images: list[Path]
    model: Path | None
    compiled: Path | None
    count: int
    rounds: int
    methods: tuple[str, ...]
    #: Real GPUs for scenario `real`; worker n runs on GPU n modulo this; 0 is the CPU.
    gpus: int = 0

    def run(self, scenario: str, workers: Sequence[int]) -> Iterator[Row]:
        """Yield one row per method, number of workers and round, labelled with all three.

        Peers run with the largest number only: they are there to be compared with, and slow
        to start.
        """
        cells = [
            (name, number, measure)
            for number in workers
            for name, measure in self._cells(scenario).items()
            if number == max(workers) or not _is_peer(name)
        ]
        for round_ in range(self.rounds):
            for cell in list(cells):
                name, number, measure = cell
                try:
                    found = measure(number)
                except UserError as error:
                    if not _is_peer(name):
                        raise
                    # A peer that does not run here must not cost what has been measured.
                    output.warn(f"{name} is left out: {error}")
                    cells.remove(cell)
                    continue
                yield {
                    **found,
                    "method": name,
                    "workers": number,
                    "scenario": scenario,
                    "round": round_,
                    "simulated": scenario in SIMULATED,
                }

    def _cells(self, scenario: str) -> dict[str, Callable[[int], Row]]:
        """What one round of a scenario runs, by label."""
        cells = self._own(scenario) if "fanfold" in self.methods else {}
        chosen = [n for n in CONTROLS if n in self.methods and scenario in CONTROLS[n].scenarios]
        cells.update({name: self._control(scenario, name) for name in chosen})
        if scenario == "real" and self.compiled is not None:
            packaged = [n for n in CONTROLS if n in self.methods and CONTROLS[n].packaged]
            cells.update({f"{n}{COMPILED}": self._packaged(n, self.compiled) for n in packaged})
        return cells

    def _packaged(self, name: str, package: Path) -> Callable[[int], Row]:
        """A control with the same package and transform: in a bare loop, what Fanfold can reach
        at most."""
        more = (self.count * COMPILED_TIMES, self.images, "--package")
        return lambda workers: run_control(name, package, workers, *more)

    def _own(self, scenario: str) -> dict[str, Callable[[int], Row]]:
        match scenario:
            case "real":
                return self._real()
            case "transform":
                return {mode: self._transform(mode) for mode in TRANSFORMS}
            case "strategies":
                return {f"fanfold {name}": self._strategy(name) for name in STRATEGIES}
        measures: dict[str, Callable[[int], Row]] = {
            "noop": self._noop,
            "latency": self._latency,
            "simulated": self._simulated,
            "slow-worker": self._slow_worker,
        }
        return {"fanfold": measures[scenario]}

    def _path(self, setting: Setting, package: Path, **more: Any) -> Row:
        more.setdefault("count", self.count)
        run = self.work / "run"
        return fanfold_path.measure(run, setting, package, self.images, **more)

    def _real(self) -> dict[str, Callable[[int], Row]]:
        def measure(folder: Path, name: str, times: int = 1) -> Callable[[int], Row]:
            # Batches of one: 16 images in batches of 8 would end with one worker idle.
            return lambda n: self._path(
                Setting(n, batch=1, gpus=self.gpus),
                self._package(folder, name),
                count=self.count * times,
            )

        if self.model is None:
            raise UserError("scenario real needs --model FOLDER, an unpacked package", INVALID)
        cells = {"fanfold": measure(self.model, "real")}
        if self.compiled is not None:
            cells[f"fanfold{COMPILED}"] = measure(self.compiled, "compiled", COMPILED_TIMES)
        return cells

    def _package(self, folder: Path, name: str) -> Path:
        """With its footprint of this machine, which the planner's estimate is made of."""
        package = self.work / f"{name}.tar.gz"
        if not package.is_file():
            here = None if self.gpus else footprint_here(folder, self.images[0])
            folder_package(folder, package, here)
        return package

    @cached_property
    def _transform_ms(self) -> float:
        """CPU of one image's transform on this machine, as a footprint has it."""
        found = run_control("fast", None, 1, TRANSFORM_IMAGES, self.images, "--mode", "fast")
        return round(float(found["cpu_ms_per_image"]), 2)

    def _waits(self, wait_ms: float, gpus: int) -> Path:
        return simulated_package(self.work, wait_ms, gpus, self._transform_ms)

    def _noop(self, workers: int) -> Row:
        more = {"count": self.count * 100, "files_per_event": NOOP_FILES_PER_EVENT}
        return self._path(Setting(workers, batch=32), noop_package(self.work), **more)

    def _latency(self, _workers: int) -> Row:
        more = {"count": self.count * 5, "in_flight": 1}
        return self._path(Setting(1), noop_package(self.work), **more)

    def _simulated(self, gpus: int) -> Row:
        package = self._waits(SIMULATED_MS, gpus)
        found = self._path(Setting(gpus, gpus=gpus), package, count=self.count * 10)
        return {**found, "ideal_s": self.count * 10 * SIMULATED_MS / 1e3 / gpus}

    def _slow_worker(self, workers: int) -> Row:
        slow = self._waits(SLOW_MS * SLOW_FACTOR, 0)
        package = self._waits(SLOW_MS, 0)
        count = self.count * 10
        found = self._path(Setting(workers, batch=1), package, count=count, slow_model=slow)
        return {**found, "ideal_s": count / _summed_speed(workers)}

    def _strategy(self, strategy: str) -> Callable[[int], Row]:
        def measure(workers: int) -> Row:
            # As many transform functions as workers: the images' own cost is not the footprint's.
            transforms = workers if strategy == "decoupled" else None
            setting = Setting(
                workers, batch=2, gpus=workers, strategy=strategy, transforms=transforms
            )
            package = self._waits(SIMULATED_MS, workers)
            return self._path(setting, package, count=self.count * 10)

        return measure

    def _transform(self, mode: str) -> Callable[[int], Row]:
        more = (self.count * 10, self.images, "--mode", mode)
        return lambda workers: run_control(mode, None, workers, *more)

    def _control(self, scenario: str, name: str) -> Callable[[int], Row]:
        model = self.model if scenario == "real" else None
        on_gpus = ["--gpus", ",".join(map(str, range(self.gpus)))] if self.gpus else []
        takes_gpus = name in {"article_pool", "raw_loop"}
        arguments: dict[str, tuple[int, list[str]]] = {
            "real": (self.count, on_gpus if takes_gpus else []),
            "noop": (self.count * 100, ["--noop"]),
            "simulated": (self.count * 10, ["--wait-ms", str(SIMULATED_MS)]),
            "slow-worker": (
                self.count * 10,
                ["--wait-ms", str(SLOW_MS), "--slow", str(SLOW_FACTOR)],
            ),
        }
        count, more = arguments[scenario]

        def measure(workers: int) -> Row:
            found = run_control(name, model, workers, count, self.images, *more)
            if scenario == "slow-worker":
                found["ideal_s"] = count / _summed_speed(workers)
            return found

        return measure


def _is_peer(name: str) -> bool:
    name = name.removesuffix(COMPILED)
    return name in CONTROLS and CONTROLS[name].environment == "peers"


def _summed_speed(workers: int) -> float:
    """Images per second of all workers of `slow-worker` together, none ever waiting."""
    return (workers - 1 + 1 / SLOW_FACTOR) / (SLOW_MS / 1e3)
