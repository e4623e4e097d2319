"""Every target of "To the limit" on this machine, in at most 15 minutes where it is quiet.

    python -m bench.asked --images FOLDER [--model FOLDER --compiled FOLDER] [--demo FOLDER]
                          [--only cost,latency,...] [--out build/asked.json]

--images: 1920x1080 JPEGs; --model and --compiled: the article's network and its int8 package,
unpacked; --demo: the demo model, unpacked, for its start. What needs one that is not given is left
out and said. Prints a table as it goes: measure, now, asked, met. Ratios are of one run each; a
machine that is not idle is said, and then CPU figures alone mean something.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import path_cost, scale, starting
from bench.choosing import add_folder, command_line, names_of
from bench.machine import describe
from bench.stats import Spread, paired_ratio, rates
from bench.suite import SIMULATED_MS, Suite
from fanfold.common.errors import UserError
from fanfold.common.project import PROJECT

GPUS = 8
STEPS = ("cost", "latency", "start", "transform", "simulated", "real", "scale", "predictions")
IDLE_LOAD = 0.5
Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One line of the table. `least`: more is better; else less is."""

    measure: str
    now: float
    asked: float
    unit: str = ""
    least: bool = False

    @property
    def met(self) -> bool:
        return self.now >= self.asked if self.least else self.now <= self.asked

    def line(self) -> str:
        sign = "≥" if self.least else "≤"
        word = "yes" if self.met else "**no**"
        return f"| {self.measure} | {self.now:.3g} {self.unit} | {sign} {self.asked:g} | {word} |"


def ideal_rate(gpus: int, wait_ms: float, transforms_per_s: float, path_ms: float) -> float:
    """Images/s that the machine allows: the accelerators' own, or what its cores can decode and
    pass on. `transforms_per_s`: of all cores together; `path_ms`: CPU of an image around it."""
    cores = len(os.sched_getaffinity(0))
    on_cores = 1 / (1 / transforms_per_s + path_ms / 1e3 / cores)
    return min(gpus * 1e3 / wait_ms, on_cores)


def predictions_of(rows: list[Row]) -> Iterator[Asked]:
    """The planner's ÷ what went through once every worker was at work, of every run that has both:
    an estimate is of days, not of the first image's way."""
    for row in rows:
        predicted = row.get("predicted_images_per_s")
        if not (predicted and row.get("scenario")):
            continue
        ratio = predicted / (row.get("steady_images_per_s") or row["images_per_s"])
        what = f"predicted ÷ measured: {row['scenario']} N={row['workers']} {row['method']}"
        yield Asked(f"{what} is {ratio:.2f}; off by", abs(ratio - 1), 0.1)


class Run:
    """The measurements, in the order of what they need of one another."""

    def __init__(self, given: argparse.Namespace, work: Path) -> None:
        self._given, self._work = given, work
        self._transforms_per_s = self._path_ms = 0.0
        self.rows: list[Row] = []

    def step(self, name: str) -> Iterator[Asked]:
        found: Iterator[Asked] = getattr(self, name)()
        return found

    def cost(self) -> Iterator[Asked]:
        for name, way in path_cost.WAYS.items():
            row = self._kept(path_cost.measure(self._work, name, 12_000))
            what = f"CPU of core + splitter + aggregator per image: {name}"
            yield Asked(what, path_cost.path_ms(row), way.target_ms, "ms")
            if name == "manifests":
                rate = row["images_per_s"]
                yield Asked("no-op, durable and ordered", rate, 9_000, "images/s", least=True)
                yield Asked("memory: core + parts", row["path_pss_kb"] / 1e3, 60, "MB PSS")

    def latency(self) -> Iterator[Asked]:
        for row in self._suite("fanfold", count=60).run("latency", [1]):
            self._kept(row)
            for p, most in (("p50", 2.0), ("p99", 3.5)):
                yield Asked(f"low load {p}", row["stages_ms"]["end_to_end"][p], most, "ms")

    def start(self) -> Iterator[Asked]:
        found = [self._kept(starting.measure(self._work, None)) for _ in range(3)]
        yield Asked("start: core ready without a model", _middle(found, "ready_s"), 1.5, "s")
        yield Asked("start: worker back", _middle(found, "back_s"), 0.5, "s")
        if self._given.demo is None:
            raise UserError("start with the demo model needs --demo FOLDER")
        row = self._kept(starting.measure(self._work, self._given.demo))
        alone_s = starting.model_alone_s(self._given.demo)
        what = f"start: with the demo model ({alone_s:.2f} s alone)"
        yield Asked(what, row["ready_s"], round(alone_s + 1, 2), "s")

    def transform(self) -> Iterator[Asked]:
        rows = [self._kept(r) for r in self._suite("fanfold", rounds=3).run("transform", [2])]
        fast, article = (rates(rows, name) for name in ("fast", "article"))
        self._transforms_per_s = Spread.of(fast).median
        ratio = paired_ratio(fast, article).median
        yield Asked("transform 1080p, two workers ÷ article", ratio, 2.3, "×", least=True)

    def simulated(self) -> Iterator[Asked]:
        suite = self._suite("fanfold,article_pool", count=100)
        rows = [self._kept(row) for row in suite.run("simulated", [GPUS])]
        own, article = rates(rows, "fanfold")[0], rates(rows, "article_pool")[0]
        cpu = next(row for row in rows if row["method"] == "fanfold")["cpu_us_per_image"]
        path_ms = sum(us for part, us in cpu.items() if not part.startswith("w")) / 1e3
        ideal = ideal_rate(GPUS, SIMULATED_MS, self._transforms_per_s or 1e9, path_ms)
        what = f"eight simulated GPUs ÷ ideal of {ideal:.0f} images/s"
        yield Asked(what, own / ideal, 0.95, "", least=True)
        yield Asked("eight simulated GPUs ÷ article", own / article, 1.95, "×", least=True)

    def real(self) -> Iterator[Asked]:
        if self._given.model is None or self._given.compiled is None:
            raise UserError("the article's network needs --model and --compiled")
        suite = self._suite("fanfold,raw_loop", rounds=2, count=24)
        rows = [self._kept(row) for row in suite.run("real", [1, 2])]
        two, one = ([r for r in rows if r["workers"] == n] for n in (2, 1))
        own = paired_ratio(rates(two, "fanfold compiled"), rates(two, "raw_loop compiled"))
        yield Asked("compiled int8, N = 2 ÷ raw loop", own.median, 0.98, "", least=True)
        gain = paired_ratio(rates(two, "fanfold"), rates(one, "fanfold")).median
        bare = paired_ratio(rates(two, "raw_loop"), rates(one, "raw_loop")).median
        what = f"own N = 2 ÷ N = 1 (raw loop {bare:.2f})"
        yield Asked(what, gain, min(1.95, bare), "", least=True)
        compiled = next(r for r in two if r["method"] == "fanfold compiled")
        yield Asked("memory: two int8 workers", compiled["workers_pss_kb"] / 1e3, 300, "MB PSS")

    def scale(self) -> Iterator[Asked]:
        found = list(scale.rows(scale.SHORT, 2, 2_000, self._work))
        for grows, sizes in scale.SHORT.items():
            own = [row for row in found if row["grows"] == grows]
            first, last = (
                [scale.cost_us(row) for row in own if row["size"] == size]
                for size in (sizes[0], sizes[-1])
            )
            what = f"cost per image, {grows} {sizes[-1]:,} ÷ {sizes[0]:,}"
            yield Asked(what, paired_ratio(last, first).median, scale.FLAT)
        yield Asked("restart of splitter + aggregator", max(r["restart_s"] for r in found), 2, "s")

    def predictions(self) -> Iterator[Asked]:
        return predictions_of(self.rows)

    def _suite(self, methods: str, rounds: int = 1, count: int = 40) -> Suite:
        given = self._given
        return Suite(
            self._work / "suite", path_cost.jpegs(given.images), given.model, given.compiled,
            count, rounds, tuple(methods.split(",")),
        )  # fmt: skip

    def _kept(self, row: Row) -> Row:
        self.rows.append(row)
        return row


def _middle(rows: list[Row], key: str) -> float:
    return Spread.of([row[key] for row in rows]).median


def main(argv: list[str]) -> int:
    parser = command_line("bench.asked", __doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--compiled", type=Path)
    parser.add_argument("--demo", type=Path)
    add_folder(parser)
    parser.add_argument("--only", type=names_of(STEPS), default=list(STEPS))
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "asked.json")
    given = parser.parse_args(argv)
    given.folder.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    machine = describe()
    print(f"{machine['cores']} cores of {machine['processor']}, load {load:.1f} at the start")
    if load > IDLE_LOAD:
        print("**Not idle: rates, times and latencies below say little; CPU per image does.**")
    print("| measure | now | asked | met |\n|---|---|---|---|")
    asked: list[Asked] = []
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix="asked-", dir=given.folder.absolute()) as work:
        run = Run(given, Path(work))
        for name in given.only:
            begin = time.monotonic()
            try:
                for one in run.step(name):
                    asked.append(one)
                    print(one.line(), flush=True)
            except UserError as error:
                left_out.append(f"{name}: {error}")
            print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(f"left out: {text}" for text in left_out))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(one), "met": one.met} for one in asked]
    kept = {"v": 1, "machine": machine, "load": load, "asked": rows, "rows": run.rows}
    given.out.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
