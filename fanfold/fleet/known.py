"""What is known of a site from its health reports, folded as they come. Pure.

A report is `fanfold/{site}/health` (docs/spec/messages.md); anybody who may write the site's log
group may have written it, so every value is looked at before it is believed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fanfold.rollout.health import CORE, Report

AGGREGATOR = "aggregator"
LATELY_S = 900.0
"""Images are counted over so many seconds."""


@dataclass(frozen=True)
class Box:
    """One core. Times are epoch seconds. `spoke_at`: of its last word, by any of its parts;
    `verdict_at`: of `verdict`, the core's own newest report (empty: none is known)."""

    spoke_at: float
    verdict_at: float = 0.0
    verdict: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """`read_until`: reports up to this time have been folded; 0: none were read yet.
    `counted`: aggregators' reports of the last `LATELY_S`: (time, results, failed)."""

    read_until: float = 0.0
    boxes: Mapping[str, Box] = field(default_factory=dict)
    last_result_at: float | None = None
    counted: tuple[tuple[float, int, int], ...] = ()

    @property
    def images(self) -> int:
        return sum(results for _, results, _ in self.counted)

    @property
    def failed(self) -> int:
        return sum(failed for _, _, failed in self.counted)


def fold(known: Known, reports: Iterable[Report], until: float) -> Known:
    """`known` and what these reports add; one that was folded before changes nothing."""
    boxes, last = dict(known.boxes), known.last_result_at
    counted = set(known.counted)
    for report in reports:
        spoke = spoke_at(report)
        before = boxes.get(report.core, Box(0.0))
        boxes[report.core] = _heard(before, report, spoke)
        if report.part == AGGREGATOR and (results := _count(report, "results")):
            last = max(last or 0.0, spoke)
            counted.add((spoke, results, _count(report, "failed")))
    kept = tuple(sorted(each for each in counted if each[0] > until - LATELY_S))
    return Known(max(known.read_until, until), boxes, last, kept)


def spoke_at(report: Report) -> float:
    """When it was said: by the device's clock, but not later than the cloud had it.

    What waited in the device's spool while its link was cut arrives now and tells of then.
    """
    said = report.values.get("t")
    if isinstance(said, (int, float)) and math.isfinite(said):
        return min(report.at, float(said))
    return report.at


def _heard(before: Box, report: Report, spoke: float) -> Box:
    box = replace(before, spoke_at=max(before.spoke_at, spoke))
    if report.part == CORE and spoke >= before.verdict_at:
        return replace(box, verdict_at=spoke, verdict=report.values)
    return box


def _count(report: Report, name: str) -> int:
    value = report.values.get(name)
    return value if type(value) is int and value > 0 else 0
