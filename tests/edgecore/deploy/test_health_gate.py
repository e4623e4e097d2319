"""What a new group's functions say, and what an operator requested, in the health gate on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgecore.deploy.health_gate import (
    HEALTH_LIMIT_S,
    SETTLE_S,
    HealthGate,
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
    assert "w0 is hung" in str(gate.check(status("hung"), HEALTH_LIMIT_S + 1))


@pytest.mark.parametrize(("state", "well"), [("ready", True), ("drained", True), ("hung", False)])
def test_a_group_is_well_while_nothing_but_wishes_speaks_against_it(state: str, well: bool) -> None:
    assert is_healthy(status(state)) is well
