"""Measuring one setting: the real core, the real path, this device's own profile."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.group import Machine, Setting
from bench.methods import fanfold_path
from fanfold.common.errors import INVALID, UserError
from fanfold.tune.memory import Memory
from fanfold.tune.search import Measured, Point
from fanfold.tune.space import Space

#: A run shorter than this many rounds of all workers says more about its start than its rate.
LEAST_ROUNDS = 3
#: Of each worker: its results come a batch at a time, and fewer give no rate.
LEAST_BATCHES = 6
FIRST_IMAGES = 16
REFUSED: Measured = (0.0, float("inf"))


@dataclass
class Trials:
    """Measures points of `space`; each costs a start of the core and `seconds` of images.

    Latency is from publish to result with just as many images under way as the workers hold, so
    that it tells of the setting and not of a backlog.
    """

    work: Path
    space: Space
    packages: list[Path]
    images: list[Path]
    machine: Machine
    strategy: str
    seconds: float
    tell: Callable[[dict[str, int], Measured, float | None], None]
    memory: Memory = field(default_factory=lambda: Memory(math.inf))
    predicted: dict[Point, float | None] = field(default_factory=dict)
    refusals: dict[Point, str] = field(default_factory=dict)
    _rate: float = 0.0

    def __call__(self, point: Point) -> Measured:
        """(images/s, p99 ms); nothing per second where planner or memory refuse the setting."""
        if said := self.memory.refuses(self.space.named(point)["workers"]):
            self.refusals[point] = said
            return REFUSED
        named = self.space.named(point)
        package = self.packages[named.pop("package")]
        transforms = named.pop("transforms") or None
        setting = Setting(**named, transforms=transforms, strategy=self.strategy)
        at_once = named["workers"] * named["batch"]
        under_way = at_once * named["window"]
        expected = self._rate * self.seconds or FIRST_IMAGES
        try:
            row = fanfold_path.measure(
                self.work / "run", setting, package, self.images,
                count=max(
                    math.ceil(expected), LEAST_ROUNDS * under_way, LEAST_BATCHES * at_once
                ),
                in_flight=under_way, machine=self.machine,
            )  # fmt: skip
        except UserError as error:
            if error.exit_code != INVALID:
                raise
            self.refusals[point] = str(error)
            return REFUSED
        if said := self.memory.measured(setting.workers, row):
            self.refusals[point] = said
            return REFUSED
        rate = row["steady_images_per_s"] or row["images_per_s"]
        self._rate = max(self._rate, rate)
        measured = rate, row["stages_ms"]["end_to_end"]["p99"]
        self.predicted[point] = row["predicted_images_per_s"]
        self.tell(self.space.named(point), measured, row["predicted_images_per_s"])
        return measured
