"""What `fanfold tune` says about what it found: in words, and as data."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from fanfold.tune.search import Found, Measured, Point
from fanfold.tune.space import NAMES, Space


class Tried(Protocol):
    """What is asked of the trials: `fanfold.tune.trial.Trials`."""

    space: Space
    packages: list[Any]
    predicted: dict[Point, float | None]
    refusals: dict[Point, str]


@dataclass(frozen=True)
class Outcome:
    """`rounds`: every measurement of the fastest settings; `values`: the keys of the site."""

    found: Found
    trials: Tried
    best: Point
    rounds: dict[Point, list[Measured]]
    values: dict[str, int | str]
    written: bool

    def lines(self) -> Iterator[str]:
        """The answer first, then why."""
        trials, space = self.trials, self.trials.space
        rate, latency = middle(self.rounds[self.best])
        yield f"best: {words(space.named(self.best))}"
        yield f"  {rate:.1f} images/s, p99 {latency:.0f} ms{self._planned()}"
        yield (
            f"  {self._measured()} of {space.size} settings measured, {len(trials.refusals)} "
            "refused by the planner or for memory; medians of the fastest:"
        )
        for point, rounds in sorted(self.rounds.items(), key=lambda item: -middle(item[1])[0]):
            rate, latency = middle(rounds)
            yield f"    {words(space.named(point))}: {rate:.1f}/s, p99 {latency:.0f} ms"
        for line in self._neighbours():
            yield f"  {line}"
        said = ", ".join(f"{key}: {value}" for key, value in self.values.items())
        yield f"{'written into the site' if self.written else 'would be written'}: {said}"
        if len(trials.packages) > 1 or "model.s3_uri" in self.values:
            package = trials.packages[space.named(self.best)["package"]]
            yield f"the fastest package is {package}: publish it, then deploy"

    def _planned(self) -> str:
        predicted = self.trials.predicted.get(self.best)
        return f"; the planner expected {predicted:.1f}/s" if predicted else ""

    def _measured(self) -> int:
        return sum(1 for rate, _ in self.found.tried.values() if rate)

    def _neighbours(self) -> Iterator[str]:
        """Why not otherwise: what the best setting measured with one number changed."""
        for axis, name in enumerate(NAMES):
            others = [
                f"{point[axis] + (name == 'package')}: {rate:.1f}/s, {latency:.0f} ms"
                for point, (rate, latency) in sorted(self.found.tried.items())
                if rate and point[axis] != self.best[axis] and _differ(point, self.best) == 1
            ]
            if others:
                yield f"with another {name}: {'; '.join(others)}"

    def as_data(self) -> dict[str, Any]:
        """The same as JSON values; documented by the verb's `--help`."""
        return {
            "v": 1,
            "best": self._described(self.best, middle(self.rounds[self.best])),
            "tried": [self._described(p, measured) for p, measured in self.found.tried.items()],
            "settings": self.trials.space.size,
            "values": self.values,
            "written": self.written,
        }

    def _described(self, point: Point, measured: Measured) -> dict[str, Any]:
        return {
            **self.trials.space.named(point),
            "images_per_s": round(measured[0], 2),
            "p99_ms": round(measured[1], 1) if math.isfinite(measured[1]) else None,
            "predicted_images_per_s": self.trials.predicted.get(point),
            "refused": self.trials.refusals.get(point),
        }


def words(named: dict[str, int]) -> str:
    """A setting as a person reads it: what is fixed at nothing is left out."""
    shown = {k: v for k, v in named.items() if k != "package" and not (k == "transforms" and not v)}
    said = ", ".join(f"{name} {value}" for name, value in shown.items())
    return f"package {named['package'] + 1}, {said}" if named["package"] else said


def middle(measured: list[Measured]) -> Measured:
    """Median rate and median latency."""
    rates, latencies = zip(*measured, strict=True)
    return statistics.median(rates), statistics.median(latencies)


def _differ(one: Point, other: Point) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))
