"""A site's row: which verdict follows from what the cloud has of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleet_kit import DEPLOYED, NOW, SITE, report, row, verdict

from fanfold.fleet.known import Known, fold
from fanfold.rollout.health import Report

LOST = {"code": "camera_lost", "level": "degraded", "subject": "camera lost", "problem": "cam1"}
GROUP = replace(SITE, core="")
BOXES = replace(DEPLOYED, cores=("box-1", "box-2"))
SITUATIONS = [
    ("a core that says ok now", [verdict()], {}, "ok"),
    ("a core that says degraded", [verdict("degraded", reasons=[LOST])], {}, "degraded"),
    ("a core that says down", [verdict("down")], {}, "down"),
    ("its newest word counts", [verdict("down", 70), verdict("ok", 10)], {}, "ok"),
    ("its newest word counts, in any order", [verdict("ok", 10), verdict("down", 70)], {}, "ok"),
    ("three reports missed", [verdict("ok", 211)], {}, "silent"),
    ("not yet three", [verdict("ok", 209)], {}, "ok"),
    ("nothing was ever heard", [], {}, "silent"),
    ("nothing deployed, nothing heard", [], {"deployed": None}, "not deployed"),
    ("it reports without a deployment", [verdict()], {"deployed": None}, "ok"),
    ("only its functions report", [report(part="splitter", workers_ready=2)], {}, "unknown"),
    ("its core fell silent, its functions did not",
     [verdict("ok", 400), report(part="splitter")], {}, "unknown"),
    ("a verdict that nobody knows", [verdict("excellent")], {}, "unknown"),
    ("a verdict that is no text", [verdict(["ok"])], {}, "unknown"),
    ("an ok with a reason to be down", [verdict("ok", reasons=[{**LOST, "level": "down"}])], {},
     "down"),
    ("an old ok that arrives now", [Report("hall-core", "core", NOW - 1,
     {"t": NOW - 7200, "verdict": "ok"})], {}, "silent"),
    ("a clock that is ahead", [Report("hall-core", "core", NOW - 400,
     {"t": NOW + 9e6, "verdict": "ok"})], {}, "silent"),
    ("a clock that is nonsense", [verdict("ok", t=float("nan"))], {}, "ok"),
    ("its deployment failed", [verdict()], {"deployed": replace(DEPLOYED, status="Failure")},
     "degraded"),
    ("it sends no reports", [], {"site": replace(SITE, every_s=None)}, "unknown"),
    ("it could not be read", [verdict()], {"problem": "not allowed"}, "unknown"),
    ("two boxes, both ok", [verdict(core="box-1"), verdict(core="box-2")],
     {"site": GROUP, "deployed": BOXES}, "ok"),
    ("two boxes, one never heard", [verdict(core="box-1")],
     {"site": GROUP, "deployed": BOXES}, "silent"),
    ("two boxes, one down and one silent", [verdict("down", core="box-1")],
     {"site": GROUP, "deployed": BOXES}, "down"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reports", "given", "expected"),
    [each[1:] for each in SITUATIONS],
    ids=[each[0] for each in SITUATIONS],
)
def test_a_sites_verdict_follows_from_its_reports(
    reports: list[Report], given: dict[str, Any], expected: str
) -> None:
    found = row(*reports, **given)

    assert found.verdict == expected
    assert found.reasons or found.verdict == "ok", "what is not ok says why"


def test_no_site_stays_ok_when_nothing_more_is_heard_of_it() -> None:
    known = fold(Known(), [verdict()], NOW)

    verdicts = [row(*[verdict()], now=NOW + later).verdict for later in (0, 190, 250, 86_400)]

    assert known.boxes
    assert verdicts == ["ok", "ok", "silent", "silent"]


def test_reasons_of_several_boxes_name_their_box_and_the_worst_come_first() -> None:
    found = row(
        verdict("degraded", core="box-1", reasons=[LOST]),
        verdict("down", core="box-2", reasons=[{**LOST, "level": "down", "subject": "no worker"}]),
        site=GROUP, deployed=BOXES,
    )  # fmt: skip

    assert [(w.level, w.core, w.subject) for w in found.reasons] == [
        ("down", "box-2", "no worker"), ("degraded", "box-1", "camera lost"),
    ]  # fmt: skip


def test_reports_that_are_read_twice_are_counted_once() -> None:
    reports = [report(part="aggregator", results=100, failed=3), verdict()]

    once = fold(Known(), reports, NOW)
    again = fold(once, reports, NOW + 15)

    assert (once.images, once.failed) == (100, 3)
    assert (again.images, again.failed, again.last_result_at) == (100, 3, NOW - 10)


def test_images_are_of_the_last_fifteen_minutes_and_the_last_result_of_any_time() -> None:
    known = fold(Known(), [report(2000, part="aggregator", results=7)], NOW)

    assert known.images == 0
    assert known.last_result_at == NOW - 2000


@pytest.mark.parametrize("results", [None, "many", -5, 1.5, [1], True])
def test_counts_that_are_no_counts_are_none(results: object) -> None:
    known = fold(Known(), [report(part="aggregator", results=results)], NOW)

    assert (known.images, known.last_result_at) == (0, None)
