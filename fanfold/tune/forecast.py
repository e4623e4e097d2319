"""How long a search will take, said before it begins. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fanfold.tune.search import Measured, Point, search
from fanfold.tune.space import Space
from infra.planning import Footprint, Profile

#: What a start of the core and a warm-up cost beside the measuring.
START_S = 5.0
FINALISTS = 3
FINAL_ROUNDS = 2
#: Without a footprint nothing is known of the model; a search of a few rounds is like any other.
_ANY_MS = 20.0


@dataclass(frozen=True)
class Forecast:
    """`settings`: so many will be measured, about; `again`: runs of the fastest few after them."""

    settings: int
    again: int
    trial_s: float

    @property
    def runs(self) -> int:
        return self.settings + self.again

    @property
    def seconds(self) -> float:
        return self.runs * self.trial_s


def forecast(
    space: Space, profile: Profile, footprint: Footprint | None, seconds: float
) -> Forecast:
    """The search itself, over a device as a footprint describes it."""
    ms = footprint.ms.inference if footprint and footprint.ms else _ANY_MS
    slots = len(profile.accelerators) or profile.usable_cores

    def measure(point: Point) -> Measured:
        named = space.named(point)
        used = named["workers"] * (1 if profile.accelerators else named["threads"])
        if used > slots and not profile.accelerators:
            return 0.0, float("inf")  # the planner refuses it, which costs no run
        together = min(used, slots) * (1 - 0.1 * (named["threads"] > 1))
        rate = together * 1000 / ms * (1 - 0.2 / named["batch"] - 0.05 / named["window"])
        return rate, 1.0

    tried = [rate for rate, _ in search(space.axes, measure).tried.values() if rate]
    again = FINAL_ROUNDS * min(FINALISTS, len(tried)) if len(tried) > 1 else 0
    return Forecast(len(tried), again, seconds + START_S)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `1 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 90 else f"{minutes} min"
