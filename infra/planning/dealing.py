"""Which core of a site takes which camera: by what the cores can do, or by hand.

Cores join one after another, in the order of the site's file. When one joins, each camera, in
the file's order, stays where it is or goes to the newcomer: to whichever of the two has the
stronger claim on one more camera (the quotient of Huntington and Hill's rule for seats, which
gives every core a camera before one gets its second). So nothing moves but what an appended core
takes, and a camera that is appended moves no other; the price is a count that may be one or two
off the exactly even one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def deal(
    cameras: Sequence[str], capacities: Mapping[str, float], by_hand: Mapping[str, str]
) -> dict[str, str]:
    """Camera → core, for every camera, in the cameras' order.

    `capacities`: core → what it can do, in any unit that all share, in the order in which they
    joined. `by_hand`: camera → core; these stay where they are put and count as its own.
    """
    first, *later = capacities
    put = {core: sum(by_hand.get(each) == core for each in cameras) for core in capacities}
    dealt = {camera: first for camera in cameras if camera not in by_hand}
    for newcomer in later:
        dealt = _join(dealt, newcomer, capacities, put)
    return {camera: by_hand.get(camera) or dealt[camera] for camera in cameras}


def _join(
    dealt: Mapping[str, str], newcomer: str, capacities: Mapping[str, float], put: Mapping[str, int]
) -> dict[str, str]:
    """Every camera stays, or goes to the newcomer."""
    has, after = dict(put), {}
    for camera, core in dealt.items():
        stays = _claim(capacities[core], has[core])
        goes = _claim(capacities[newcomer], has[newcomer])
        after[camera] = newcomer if goes > stays else core
        has[after[camera]] += 1
    return after


def _claim(capacity: float, cameras: int) -> float:
    """Of a core that has so many on its next one."""
    return capacity / math.sqrt(cameras * (cameras + 1)) if cameras else math.inf
