"""Whether the search's choice is compared with what really is the best of a table."""

from __future__ import annotations

import math
from itertools import product

from bench.brute_force import judged, targets_of
from fanfold.tune.trial import REFUSED

AXES = ((1, 2), (1, 2), (0,), (1, 2, 4), (1, 2), (0,))


def table_of(rate):  # type: ignore[no-untyped-def]
    """Latency as Little's law has it; two workers of two threads are refused."""
    made = {}
    for point in product(*AXES):
        workers, threads, _, batch, window, _ = point
        per_s = rate(workers, threads, batch)
        made[point] = (per_s, 1e3 * workers * batch * window / per_s)
        if workers * threads > 2:
            made[point] = REFUSED
    return made


def test_the_best_of_the_table_is_found_and_refused_settings_are_not_counted() -> None:
    table = table_of(lambda workers, threads, batch: 10 * workers + threads + batch)
    found = judged(AXES, table, math.inf)
    assert found["best_images_per_s"] == found["found_images_per_s"] == 25
    assert found["of"] == 18
    assert found["measured"] < 18
    assert found["latency_ms"] is None


def test_a_target_leaves_out_what_is_too_slow() -> None:
    table = table_of(lambda workers, threads, batch: 10 * workers + threads + batch)
    quarter = targets_of(table)[-1]
    found = judged(AXES, table, quarter)
    kept = [rate for rate, latency in table.values() if latency <= quarter]
    assert found["best_images_per_s"] == max(kept) < 25


def test_a_search_that_stops_short_shows_its_share() -> None:
    """A lone peak off every line through the lower ground: what the table is there to tell."""
    table = table_of(lambda workers, threads, batch: 10.0)
    found = judged(((1, 2), (1, 2), (0,), (1,), (1,), (0,)), table, 1.0)
    assert found["share"] == 1.0  # nothing keeps 1 ms, and nothing was found
    table[2, 1, 0, 4, 2, 0] = (40.0, 400.0)
    table[2, 1, 0, 2, 2, 0] = (5.0, 800.0)
    table[2, 1, 0, 4, 1, 0] = (5.0, 800.0)
    found = judged(AXES, table, math.inf)
    assert (found["best_images_per_s"], found["found_images_per_s"]) == (40.0, 10.0)
    assert found["share"] == found["found_images_per_s"] / 40.0
