"""The planner's measured constants, on this machine: what to enter, and where.

    python -m bench.constants --images FOLDER [--folder FOLDER] [--rounds 3] [--only PATH_MS,...]

--images: 1920x1080 JPEGs. On two idle cores, some two minutes. Of each constant its file, then the
lines to enter there.

    PATH_MS       CPU of one image in core, splitter, aggregator and worker beside its transform and
                  its network: eight simulated GPUs, single events, less the transform of the round
    MANIFEST_MS   CPU of one image in all parts, manifests of 100 files of 20 KB, no-op model

CPU time says something on a busy machine too, and more than on an idle one: do not enter it then.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import path_cost
from bench.asked import GPUS, IDLE_LOAD
from bench.choosing import names_of
from bench.controls import run_control
from bench.machine import describe
from bench.methods.fanfold_path import MANIFEST_MS
from bench.stats import Spread
from bench.suite import Suite
from fanfold.common.project import PROJECT
from infra.planning.capacity import PATH_MS

IMAGES_PER_GPU = 100
MANIFEST_IMAGES = 12_000
TRANSFORM_IMAGES = 400
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Constant:
    """`place`: the file that has it, as `now`."""

    now: float
    place: str
    measure: Callable[[Path, Path], float]


def parts_ms(row: Row) -> float:
    """CPU milliseconds per image of all parts; the client that feeds them is none."""
    used: Mapping[str, float] = row["cpu_us_per_image"]
    return sum(us for part, us in used.items() if part != "client") / 1e3


def around_ms(gpus: Row, transform: Row) -> float:
    """Of one image, what is not its transform."""
    return parts_ms(gpus) - float(transform["cpu_ms_per_image"])


def _path(images: Path, work: Path) -> float:
    files = path_cost.jpegs(images)
    suite = Suite(work / "suite", files, None, None, IMAGES_PER_GPU, 1, ("fanfold",))
    fast = run_control("fast", None, 2, TRANSFORM_IMAGES, files, "--mode", "fast")
    return around_ms(next(iter(suite.run("simulated", [GPUS]))), fast)


def _manifest(_images: Path, work: Path) -> float:
    return parts_ms(path_cost.measure(work, "manifests", MANIFEST_IMAGES))


CONSTANTS = {
    "PATH_MS": Constant(PATH_MS, "infra/planning/capacity.py", _path),
    "MANIFEST_MS": Constant(MANIFEST_MS, "bench/methods/fanfold_path.py", _manifest),
}


def lines(name: str, found_ms: Sequence[float], where: str) -> str:
    """The file and what it has now; then what to enter: on what it was measured, and the value."""
    one = CONSTANTS[name]
    rounds = ", ".join(f"{ms:.3g}" for ms in found_ms)
    value = Spread.of(list(found_ms)).median
    return f"{one.place} has {one.now:g}:\n# {rounds} ms in turn: {where}.\n{name} = {value:.2g}"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "bench.constants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=PROJECT / "build", help="on which disk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=names_of(CONSTANTS), default=list(CONSTANTS))
    given = parser.parse_args(argv)
    given.folder.mkdir(parents=True, exist_ok=True)
    load, machine = os.getloadavg()[0], describe()
    where = f"{machine['cores']} cores of {machine['processor']}, {machine['date']}"
    print(f"{where}, load {load:.1f} at the start")
    if load > IDLE_LOAD:
        print("**Not idle: caches and cores are shared, so these are higher than what to enter.**")
    with tempfile.TemporaryDirectory(prefix="constants-", dir=given.folder.absolute()) as work:
        for name in given.only:
            measure = CONSTANTS[name].measure
            found = [measure(given.images, Path(work)) for _ in range(given.rounds)]
            print(lines(name, found, where), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
