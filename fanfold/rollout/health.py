"""Is a site well with its new model? Judged by the health reports that reached the cloud.

A report is `fanfold/{site}/health` (docs/spec/messages.md): counters since the part's last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanfold.rollout.state import Stand

SPLITTER, CORE = "splitter", "core"
REPORTS_MISSED = 3
"""A part that has not reported for so many intervals is silent."""


@dataclass(frozen=True)
class Report:
    """`at`: when the cloud had it, epoch seconds; the device's clock may be wrong."""

    core: str
    part: str
    at: float
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Limits:
    """`failed_percent`: percentage points that more images may fail than before.

    `restarts`: of workers, until that is too many (the site's own alarm has the same number).
    """

    failed_percent: float = 1.0
    restarts: int = 3


@dataclass(frozen=True)
class Verdict:
    """`stand`: healthy, unhealthy or away."""

    stand: Stand
    why: str


def ill(before: Sequence[Report], after: Sequence[Report], limits: Limits) -> str:
    """What is wrong already, before the end of the watch, in a sentence; empty: nothing so far.

    Not what passes by itself while a model loads: see `judge`.
    """
    return "; ".join(filter(None, (_restarts(after, limits), _failures(before, after, limits))))


def judge(before: Sequence[Report], after: Sequence[Report], limits: Limits) -> Verdict:
    """At the end of the watch. `before`: of the last intervals before the site was told.

    A core that reported and has fallen silent is unhealthy; one that was silent before is
    switched off, which says nothing about the model.
    """
    found = (ill(before, after, limits), _no_worker(after), _down(after))
    if said := "; ".join(filter(None, found)):
        return Verdict(Stand.UNHEALTHY, said)
    spoke, speak = _cores(before), _cores(after)
    if lost := sorted(spoke - speak):
        return Verdict(Stand.UNHEALTHY, f"no health report from {', '.join(lost)} since")
    if not speak:
        return Verdict(Stand.AWAY, "no health report, before or since: off, or without a link")
    return Verdict(Stand.HEALTHY, _summary(after))


def _cores(reports: Iterable[Report]) -> set[str]:
    return {report.core for report in reports}


def _no_worker(after: Sequence[Report]) -> str:
    newest = _newest(after, SPLITTER)
    dead = [core for core, report in newest.items() if report.values.get("workers_ready") == 0]
    return f"no worker is ready on {', '.join(sorted(dead))}" if dead else ""


def _down(after: Sequence[Report]) -> str:
    """The core's own verdict (docs/spec/verdict.md), with its reasons."""
    found = []
    for core, report in sorted(_newest(after, CORE).items()):
        if report.values.get("verdict") == "down":
            reasons = report.values.get("reasons") or []
            why = ", ".join(str(each.get("subject", each.get("code"))) for each in reasons)
            found.append(f"{core} is down{why and ': '}{why}")
    return "; ".join(found)


def _newest(after: Sequence[Report], part: str) -> dict[str, Report]:
    return {report.core: report for report in after if report.part == part}


def _restarts(after: Sequence[Report], limits: Limits) -> str:
    count = _sum(after, "worker_restarts")
    if count < limits.restarts:
        return ""
    return f"workers restarted {count} times, {limits.restarts} are too many"


def _failures(before: Sequence[Report], after: Sequence[Report], limits: Limits) -> str:
    was, now = _failed_percent(before), _failed_percent(after)
    if now <= was + limits.failed_percent:
        return ""
    return (
        f"{now:.1f} % of {_sum(after, 'results')} images failed, {was:.1f} % before; "
        f"{limits.failed_percent:g} points more are allowed"
    )


def _failed_percent(reports: Sequence[Report]) -> float:
    results = _sum(reports, "results")
    return 100 * _sum(reports, "failed") / results if results else 0.0


def _sum(reports: Iterable[Report], name: str) -> int:
    return sum(int(report.values.get(name) or 0) for report in reports)


def _summary(after: Sequence[Report]) -> str:
    return f"{len(after)} reports, {_sum(after, 'results')} images, {_sum(after, 'failed')} failed"
