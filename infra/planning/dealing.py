"""Which core of a site takes which camera: by what the cores can do, or by hand.

Cores join one after another, in the order of the site's file. A core that joins takes its share
from those before it and moves nothing else, so a core that is appended moves as few cameras as
any even dealing can. Shares are a divisor method's (Huntington and Hill's: every core gets a
camera before one gets its second), for which that holds: a share never grows because another
core joins (Balinski and Young, Fair Representation, 1982, appendix A).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def deal(
    cameras: Sequence[str], capacities: Mapping[str, float], by_hand: Mapping[str, str]
) -> dict[str, str]:
    """Camera → core, for every camera, in the cameras' order.

    `capacities`: core → what it can do, in any unit that all share, in the order in which they
    joined. `by_hand`: camera → core; these stay where they are put and fill their core's share.
    """
    cores = list(capacities)
    free = [camera for camera in cameras if camera not in by_hand]
    put = {core: sum(by_hand.get(camera) == core for camera in cameras) for core in cores}
    held: dict[str, list[str]] = {cores[0]: free}
    for number in range(2, len(cores) + 1):
        taken = _join(held, cores[:number], capacities, put, len(free))
        held[cores[number - 1]] = sorted(taken, key=free.index)
    found = {camera: core for core, own in held.items() for camera in own}
    return {camera: by_hand.get(camera) or found[camera] for camera in cameras}


def _join(
    held: dict[str, list[str]],
    cores: Sequence[str],
    capacities: Mapping[str, float],
    put: Mapping[str, int],
    free: int,
) -> list[str]:
    """What the last of `cores` takes from the others: what is over their shares, the newest."""
    share = shares([capacities[core] for core in cores], [put[core] for core in cores], free)
    taken: list[str] = []
    for core, count in zip(cores[:-1], share[:-1], strict=True):
        taken += held[core][count:]
        held[core] = held[core][:count]
    return taken


def shares(capacities: Sequence[float], put: Sequence[int], free: int) -> list[int]:
    """How many of `free` cameras each core gets on top of `put`, what it has by hand."""
    got = [0] * len(capacities)
    for _ in range(free):
        winner = max(
            range(len(got)), key=lambda core: (_claim(capacities[core], put[core] + got[core]),
                                               -core)
        )  # fmt: skip
        got[winner] += 1
    return got


def _claim(capacity: float, cameras: int) -> float:
    """Of a core that has so many on its next one."""
    return capacity / math.sqrt(cameras * (cameras + 1)) if cameras else math.inf
