"""Hours in small: steady work, a fault every few seconds, memory and descriptors flat."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psutil
import pytest
from chaos_plant import Plant, Report

from edgecore.history.store import RECENT

#: Ten minutes; a night is 28,800.
SECONDS = float(os.environ.get("CHAOS_SOAK_S", "600"))

#: What SQLite's pages and the charts still take once what is remembered of images is full.
MOST_KB = 6_000


@pytest.mark.soak
@pytest.mark.timeout(40_000)
def test_memory_and_descriptors_stay_flat_under_steady_faults(
    make_plant: Callable[..., Plant], report: Report
) -> None:
    plant = make_plant()
    kills = [{"function": part, "kill_every_s": 60} for part in ("w*", "splitter", "aggregator")]
    plant.start({"seed": 14, "functions": kills, "cloud": {"flapping": {"up_s": 9, "down_s": 3}}})
    while len(plant.sent) < RECENT:  # what the core remembers of its images is full then
        plant.send(500)
    began = time.monotonic()
    samples: list[tuple[float, int, int]] = []
    cloud = plant.core.state / "cloud"
    # Until a file of the local cloud is full as well: beginning the next one once took 15 MB.
    while (now := time.monotonic() - began) < SECONDS or len(list(cloud.iterdir())) < 2:
        plant.send(30)
        time.sleep(0.5)
        samples.append((now, plant.core.rss_kb(), plant.core.descriptors()))
    half = len(samples) // 2
    plant.notes["hours"] = round(samples[-1][0] / 3600, 2)
    plant.notes["rss_kb_by_minute"] = [
        _mean(group) for minute in range(round(samples[-1][0] / 60) + 1)
        if (group := [s for s in samples if s[0] // 60 == minute])
    ]  # fmt: skip
    plant.notes["rss_kb_first_middle_last"] = [
        _mean(samples[:20]), _mean(samples[half - 10 : half + 10]), _mean(samples[-20:])
    ]  # fmt: skip
    plant.notes["descriptors_least_and_most"] = [
        min(s[2] for s in samples),
        max(s[2] for s in samples),
    ]
    report("steady work, a fault every 20 s", plant, runs=plant.strikes())
    first, middle, last = plant.notes["rss_kb_first_middle_last"]
    assert last - middle < MOST_KB // 2
    assert last - first < MOST_KB
    assert psutil.Process(plant.core.status()["core"]["pid"]).num_fds() < 200


def _mean(samples: list[tuple[float, int, int]]) -> int:
    return round(sum(sample[1] for sample in samples) / len(samples))
