"""Two runs of `fanfold bench` beside each other, for a person and for CI.

python -m bench.compare BEFORE AFTER [--within 0.05] [--json]: folders or files that `fanfold bench
--out` wrote. Two runs are two states of a machine, so what is compared is a method's ratio to a
control of the same rounds, where both runs have one; a rate alone only where they have none, and it
is said. Exit code 0: nothing is slower; 1: something is; 2: what was given cannot be compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.stats import Spread, paired_ratio

#: In this order: the raw loop does the same work and nothing else.
CONTROLS = ("raw_loop", "article_pool", "round_robin")
ENOUGH_ROUNDS = 3
SLOWER, CANNOT = 1, 2

Row = Mapping[str, Any]
Key = tuple[str, int, str]


@dataclass(frozen=True)
class Compared:
    """One method. `measure`: `÷ CONTROL` or `images/s`; `change`: after ÷ before, of medians.

    `verdict`: slower, faster or same; unproven with fewer than three rounds in a run.
    """

    scenario: str
    workers: int
    method: str
    measure: str
    before: Spread
    after: Spread
    change: float
    verdict: str


class CannotCompareError(ValueError):
    """A run that is not there, not JSON, or has nothing in common with the other."""


def compare(before: Iterable[Row], after: Iterable[Row], within: float) -> list[Compared]:
    """What both runs measured, in the order of the first. Pure; raises CannotCompareError."""
    first, second = _rates(before), _rates(after)
    found = []
    for key in first:
        if key in second and key[2] not in CONTROLS:
            measure, was, is_now = _measured(key, first, second)
            change = is_now.median / was.median
            verdict = _verdict(was, is_now, within)
            found.append(Compared(*key, measure, was, is_now, round(change, 4), verdict))
    if not found:
        raise CannotCompareError("the two runs have no scenario, method and workers in common")
    return found


def _measured(
    key: Key, first: Mapping[Key, Mapping[int, float]], second: Mapping[Key, Mapping[int, float]]
) -> tuple[str, Spread, Spread]:
    for name in CONTROLS:
        control = (key[0], key[1], name)
        was, is_now = (_ratio(run[key], run.get(control, {})) for run in (first, second))
        if was is not None and is_now is not None:
            return f"÷ {name}", was, is_now
    return "images/s", Spread.of([*first[key].values()]), Spread.of([*second[key].values()])


def _ratio(subject: Mapping[int, float], control: Mapping[int, float]) -> Spread | None:
    """Over the rounds that have both; None: there is none."""
    both = [number for number in subject if number in control]
    if not both:
        return None
    return paired_ratio([subject[n] for n in both], [control[n] for n in both])


def _verdict(before: Spread, after: Spread, within: float) -> str:
    """Apart only where no round of one run is among those of the other."""
    if min(before.rounds, after.rounds) < ENOUGH_ROUNDS:
        return "unproven"
    if after.high < before.low and after.median < (1 - within) * before.median:
        return "slower"
    if after.low > before.high and after.median > (1 + within) * before.median:
        return "faster"
    return "same"


def _rates(rows: Iterable[Row]) -> dict[Key, dict[int, float]]:
    found: dict[Key, dict[int, float]] = {}
    for row in rows:
        try:
            key = (str(row["scenario"]), int(row["workers"]), str(row["method"]))
            rate = float(row.get("steady_images_per_s") or row["images_per_s"])
            found.setdefault(key, {})[int(row["round"])] = rate
        except (KeyError, TypeError, ValueError) as error:
            raise CannotCompareError(
                f"a row is not one of fanfold bench --out, which can be compared: {error!r}"
            ) from None
    return found


def read(path: Path) -> list[Row]:
    """Rows of one file, or of every scenario's in a folder. Raises CannotCompareError."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    rows: list[Row] = []
    for file in files:
        try:
            content = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CannotCompareError(f"{file}: cannot be read: {error}") from error
        listed = content.get("rows", []) if isinstance(content, dict) else content
        rows += [row for row in listed if isinstance(row, dict)]
    if not rows:
        raise CannotCompareError(f"{path}: no rows of fanfold bench: give its --out folder")
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--within", type=float, default=0.05, help="share that is no change")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        found = compare(read(given.before), read(given.after), given.within)
    except CannotCompareError as error:
        print(error, file=sys.stderr)
        return CANNOT
    if given.json:
        print(json.dumps({"v": 1, "compared": [asdict(each) for each in found]}, indent=1))
    else:
        print("\n".join(_line(each) for each in found))
    return SLOWER if any(each.verdict == "slower" for each in found) else 0


def _line(found: Compared) -> str:
    what = f"{found.scenario} N={found.workers} {found.method} {found.measure}"
    return f"{what:<44} {found.before} → {found.after}  ×{found.change:.3f}  {found.verdict}"


if __name__ == "__main__":
    sys.exit(main())
