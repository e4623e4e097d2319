"""kill -9 of real processes at every named point: nothing lost, nothing twice, in order."""

from __future__ import annotations

import json

import pytest
from part_site import Site

from lambdas.common.fault_points import POINTS


@pytest.mark.parametrize(
    "nth", [2, *(pytest.param(n, marks=pytest.mark.soak) for n in (1, *range(3, 11)))]
)
@pytest.mark.parametrize("point", sorted(POINTS))
def test_a_kill_at_this_point_loses_and_repeats_nothing(tmp_path, point, nth):
    site = Site(tmp_path, f"{point}:{nth}")
    count = max(12, 8 * nth)  # so many that the point is passed often enough
    events = {f"e{n}": 9 for n in range(count)}

    def died() -> bool:
        return bool(site.splitter.deaths + site.aggregator.deaths)

    def in_s3() -> list[dict]:
        files = sorted((tmp_path / "s3").glob("site=demo/epoch=*/stream=cam1/*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    total = sum(events.values())
    try:
        site.run(events, lambda: died() and len(in_s3()) >= total)
    finally:
        site.stop()

    assert site.splitter.deaths + site.aggregator.deaths == [-9]
    spans = sorted(site.accepted.values())
    assert [first for first, _ in spans] == [1 + 9 * n for n in range(count)]
    assert [r["seq"] for r in in_s3()] == list(range(1, total + 1))
    for records in (site.cloud, site.local):
        seen = list(dict.fromkeys(r["seq"] for r in records))
        assert seen == list(range(1, total + 1))
        assert {r["status"] for r in records} == {"ok"}
