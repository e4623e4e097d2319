"""`cdk` is started while `fanfold deploy` still looks at the cloud, and deploys only after that."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from fanfold.cloud import cdk_run
from fanfold.cloud.access import Access
from fanfold.common.errors import UserError
from infra.gate import VARIABLE, Gate, passed

CDK = """
import pathlib, sys
from infra.gate import passed
folder = pathlib.Path(sys.argv[1])
(folder / "synthesized").touch()
if not passed():
    sys.exit(1)
(folder / "deployed").touch()
"""


@pytest.fixture(autouse=True)
def a_cdk_that_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cdk_run, "require_tools", lambda: None)
    command = [sys.executable, "-c", CDK, str(tmp_path)]
    monkeypatch.setattr(cdk_run, "command", lambda _: command)


def run(first: Any = None) -> None:
    cdk_run.run_cdk(["deploy"], Access("us-east-1", None), "hall", sys.stderr, first)


def test_what_is_synthesized_is_deployed_only_after_the_look(tmp_path: Path) -> None:
    seen: list[bool] = []

    def look() -> None:
        eventually((tmp_path / "synthesized").exists, "synthesized meanwhile")
        seen.append((tmp_path / "deployed").exists())

    run(look)

    assert seen == [False]
    assert (tmp_path / "deployed").exists()


def test_a_refusal_while_the_cdk_runs_deploys_nothing(tmp_path: Path) -> None:
    def look() -> None:
        eventually((tmp_path / "synthesized").exists, "synthesized meanwhile")
        raise UserError("stack hall is UPDATE_IN_PROGRESS", 4)

    with pytest.raises(UserError, match="UPDATE_IN_PROGRESS"):
        run(look)

    assert not (tmp_path / "deployed").exists()


def test_without_a_look_nothing_is_waited_for(tmp_path: Path) -> None:
    run()

    assert (tmp_path / "deployed").exists()


def test_an_app_that_is_run_twice_passes_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with Gate() as gate:
        monkeypatch.setenv(VARIABLE, gate.environment[VARIABLE])
        gate.open()

        assert [passed(), passed()] == [True, True]


def test_an_app_that_comes_after_a_refusal_is_not_left_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Gate() as gate:
        monkeypatch.setenv(VARIABLE, gate.environment[VARIABLE])

    assert not passed()
