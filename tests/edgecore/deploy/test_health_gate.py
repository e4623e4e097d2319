"""What a new group's functions say, and what an operator requested, in the health gate on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgecore.deploy.health_gate import (
    LIMIT_S,
    LIVE_FEWEST,
    LIVE_IMAGES,
    LIVE_LIMIT_S,
    SETTLE_S,
    HealthGate,
    LiveImages,
    is_healthy,
    last_log_error,
)

NOW = 1_790_000_000.0


def line(level: str, message: str) -> str:
    return json.dumps({"t": NOW, "level": level, "logger": "fanfold.worker", "message": message})


@pytest.mark.parametrize(
    "lines",
    [
        [line("INFO", "starting"), line("CRITICAL", "cannot start: no model")],
        ["[INFO] fanfold.worker: starting", "[CRITICAL] fanfold.worker: cannot start: no model"],
    ],
    ids=["JSON", "text"],
)
def test_the_last_words_are_its_last_critical_line(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "w0.log").write_text("\n".join([*lines, "[ERROR]-Worker is ungracefully killed."]))

    assert last_log_error(tmp_path / "w0.log") == "fanfold.worker: cannot start: no model"


def status(state: str) -> dict[str, Any]:
    workers = {"w0": {"state": state, "model": {"name": "m"}}}
    return {"stats": {"splitter": {"t": NOW, "workers": workers}}}


def test_a_group_whose_workers_are_drained_on_purpose_is_committed() -> None:
    gate = HealthGate(0.0)

    assert gate.check(status("drained"), 1.0) is None
    assert gate.check(status("drained"), 1.0 + SETTLE_S) is True


def test_a_group_whose_worker_hangs_is_not() -> None:
    gate = HealthGate(0.0)

    assert gate.check(status("hung"), 1.0) is None
    assert "w0 is hung" in str(gate.check(status("hung"), LIMIT_S + 1))


@pytest.mark.parametrize(("state", "well"), [("ready", True), ("drained", True), ("hung", False)])
def test_a_group_is_well_while_nothing_but_wishes_speaks_against_it(state: str, well: bool) -> None:
    assert is_healthy(status(state)) is well


def counted(answered: int, model_errors: int) -> dict[str, Any]:
    aggregator = {"answered": answered, "model_errors": model_errors}
    return {"stats": {"aggregator": aggregator}}


def test_a_model_that_fails_the_first_live_images_is_told_with_its_share() -> None:
    live = LiveImages(0.0)

    assert live.check(counted(0, LIVE_FEWEST - 1), 1.0) is None
    assert "failed 6 of the first 10 images" in str(live.check(counted(4, 6), 2.0))


def test_some_failures_among_good_answers_are_no_reason_to_go_back() -> None:
    live = LiveImages(0.0)

    assert live.check(counted(20, 10), 1.0) is None
    assert live.check(counted(LIVE_IMAGES, 10), 2.0) is True


def test_a_group_that_counts_no_answers_is_not_judged_by_them() -> None:
    live = LiveImages(0.0)

    assert live.check(status("ready"), 1.0) is None
    assert live.check(status("ready"), LIVE_LIMIT_S + 1) is True


def test_what_an_aggregator_counted_before_the_new_model_is_not_the_new_models() -> None:
    live = LiveImages(0.0, before=(100.0, 200.0))

    assert live.check(counted(200, 100), 1.0) is None
    assert live.check(counted(200 + LIVE_IMAGES, 100), 2.0) is True
    bad = LiveImages(0.0, before=(0.0, 10_000.0)).check(counted(10_000, LIVE_FEWEST), 1.0)
    assert isinstance(bad, str)
