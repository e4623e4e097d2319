"""`python -m bench.brute_force SITE --images DIR --model PACKAGE --out FILE`: how good is `tune`?

Measures every setting that the planner allows once, as `fanfold tune` does, in a shuffled order
so that a drifting machine favours none; then lets the search choose from that table, under no
latency target and under three, and compares its choice with the best of the table.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from itertools import product
from pathlib import Path
from typing import Any

from bench.stats import percentile
from fanfold.common import output
from fanfold.common.project import read_site
from fanfold.tune.prepare import trials_of
from fanfold.tune.search import Axes, Measured, Point, search

Table = dict[Point, Measured]


def judged(axes: Axes, table: Table, latency_ms: float) -> dict[str, Any]:
    """What the search finds in `table` under one target, beside the best that is there.

    `measured`: settings that it would have run; those that the planner refuses cost nothing.
    """
    found = search(axes, table.__getitem__, latency_ms)
    allowed = [rate for rate, latency in table.values() if latency <= latency_ms]
    best, chosen = max(allowed, default=0.0), table[found.best][0] if found.best else 0.0
    return {
        "latency_ms": latency_ms if math.isfinite(latency_ms) else None,
        "best_images_per_s": best,
        "found_images_per_s": chosen,
        "share": chosen / best if best else 1.0,
        "measured": sum(1 for point in found.tried if table[point][0]),
        "of": sum(1 for rate, _ in table.values() if rate),
    }


def targets_of(table: Table) -> list[float]:
    """No target, and the p99 that a quarter, a half and three quarters of the settings keep."""
    seen = [latency for rate, latency in table.values() if rate]
    return [math.inf, *(percentile(seen, p) for p in (75, 50, 25))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("site")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--model", type=Path, action="append", required=True)
    parser.add_argument("--seconds", type=float, default=3.0, help="measuring time of one setting")
    parser.add_argument("--out", type=Path, required=True, help="JSON, for bench.report")
    asked = parser.parse_args()
    settings, profile = read_site(asked.site)
    trials, expected = trials_of(
        asked.site, settings, profile, asked.images, asked.model, asked.seconds
    )
    output.note(f"{trials.space.size} settings, some {expected.trial_s:.0f} s each")
    points = list(product(*trials.space.axes))
    random.Random(0).shuffle(points)
    table = {point: trials(point) for point in points}
    searches = [judged(trials.space.axes, table, target) for target in targets_of(table)]
    settings_measured = [
        {**trials.space.named(p), "images_per_s": rate, "p99_ms": p99}
        for p, (rate, p99) in sorted(table.items())
        if rate
    ]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(
        json.dumps({"searches": searches, "settings": settings_measured}, indent=1)
    )
    for found in searches:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
