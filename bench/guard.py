"""Five short ratios against controls of the same run, beside the floors that were recorded.

    make bench-guard            (python -m bench.guard [--images FOLDER] [--record])

Not a part of `make test`: it takes two to four minutes; without --images with the demo's
photographs. Each ratio is a method's to a control's in
interleaved rounds, so the machine's speed cancels out, and its other work nearly. Exit code 1: a
ratio is below its floor in `bench/floors.json`; --record writes floors of 85 % of what is measured
now, which is for a machine that is quiet and a change that was meant.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from bench import scale
from bench.choosing import command_line
from bench.path_cost import jpegs
from bench.stats import Spread, paired_ratio, rates
from bench.suite import Row, Suite
from fanfold.common.errors import FAILED, UserError
from fanfold.common.project import PROJECT
from fanfold.device.interpreters import device_python

FLOORS = Path(__file__).with_name("floors.json")
ROUNDS = 3
SHARE = 0.85
PICTURES = 12


def below(found: Mapping[str, float], floors: Mapping[str, float]) -> list[str]:
    """One sentence for each ratio under its floor, or without one. Pure."""
    problems = []
    for name, ratio in found.items():
        floor = floors.get(name)
        if floor is None:
            problems.append(f"{name}: {ratio:.2f}, no floor is recorded; see --record")
        elif ratio < floor:
            problems.append(f"{name}: {ratio:.2f}, the floor is {floor:g}")
    return problems


def floors_of(found: Mapping[str, float]) -> dict[str, float]:
    return {name: round(ratio * SHARE, 2) for name, ratio in found.items()}


def photographs(work: Path) -> Path:
    """The demo's, as files of a folder. Raises UserError."""
    python = device_python()
    if python is None:
        raise UserError("no interpreter for the Lambdas. Run `make setup`.", FAILED)
    out = work / "photographs"
    command = [str(python), "-m", "models.demo_images", "--out", str(out), "--count", str(PICTURES)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"the demo's photographs cannot be made:\n{done.stderr[-800:]}", FAILED)
    return out


class Ratios:
    """Each measures its own; the larger the better."""

    def __init__(self, images: list[Path], work: Path) -> None:
        self._images, self._work = images, work

    def each(self) -> dict[str, Callable[[], Spread]]:
        return {
            "transform fast ÷ article": lambda: self._transform("fast"),
            "transform exact ÷ article": lambda: self._transform("exact"),
            "four simulated GPUs ÷ article_pool": lambda: self._path("simulated", "article_pool"),
            "one slow worker ÷ round_robin": lambda: self._path("slow-worker", "round_robin"),
            "an image of 1 stream ÷ of 100": self._streams,
        }

    def _transform(self, mode: str) -> Spread:
        rows = self._transforms
        return paired_ratio(rates(rows, mode), rates(rows, "article"))

    @cached_property
    def _transforms(self) -> list[Row]:
        """One run has both of ours beside the article's."""
        return self._rows("transform", "fanfold", 1)

    def _path(self, scenario: str, control: str) -> Spread:
        rows = self._rows(scenario, f"fanfold,{control}", 4)
        return paired_ratio(rates(rows, "fanfold"), rates(rows, control))

    def _rows(self, scenario: str, methods: str, workers: int) -> list[Row]:
        suite = Suite(
            self._work, self._images, None, None, 8, ROUNDS, tuple(methods.split(","))
        )  # fmt: skip
        return list(suite.run(scenario, [workers]))

    def _streams(self) -> Spread:
        found = list(scale.rows({"streams": (1, 100)}, ROUNDS, 1_000, self._work))
        one, many = ([scale.cost_us(r) for r in found if r["size"] == n] for n in (1, 100))
        return paired_ratio(one, many)


def main(argv: list[str]) -> int:
    parser = command_line("bench.guard", __doc__)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--record", action="store_true", help="write bench/floors.json")
    given = parser.parse_args(argv)
    folder = PROJECT / "build"
    folder.mkdir(exist_ok=True)
    found: dict[str, float] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="guard-", dir=folder) as work:
            images = jpegs(given.images or photographs(Path(work)))
            for name, measure in Ratios(images, Path(work)).each().items():
                spread = measure()
                found[name] = spread.median
                print(f"{name:40} {spread}", flush=True)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if given.record:
        FLOORS.write_text(json.dumps(floors_of(found), indent=1, ensure_ascii=False) + "\n")
        return 0
    problems = below(found, json.loads(FLOORS.read_text(encoding="utf-8")))
    print("\n".join(problems) or "all above their floors")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
