"""The doctor that the core asks: what it answers is shown, and what it cannot answer is said."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from edgecore.daemon.check_runner import CheckRunner

DEADLINE_S = 20.0


def ran(script: str) -> dict[str, Any]:
    async def first() -> dict[str, Any]:
        runner = CheckRunner([sys.executable, "-c", script], first_after_s=0.0)
        running = asyncio.ensure_future(runner.run())
        try:
            await asyncio.wait_for(_answer(runner), DEADLINE_S)
        finally:
            running.cancel()
        return dict(runner.status())

    return asyncio.run(first())


async def _answer(runner: CheckRunner) -> None:
    while not runner.status():
        await asyncio.sleep(0.02)


def test_errors_come_before_warnings_and_what_is_well_is_only_counted() -> None:
    checks = [
        {"check": "clock", "level": "ok", "message": "fine", "fix": ""},
        {"check": "port", "level": "warning", "message": "taken", "fix": "another"},
        {"check": "disk", "level": "error", "message": "full", "fix": "free some"},
    ]
    said = ran(f"print({json.dumps(json.dumps({'v': 1, 'checks': checks}))}); raise SystemExit(1)")

    assert [c["check"] for c in said["checks"]] == ["disk", "port"]
    assert said["checks"][0]["fix"] == "free some"
    assert said["counts"] == {"ok": 1, "warning": 1, "error": 1}
    assert said["problem"] is None


@pytest.mark.parametrize(
    "script", ["", "print('hello')", "print('[1]')", "print('{\"checks\":[1]}')"]
)
def test_a_command_that_answers_something_else_is_reported_as_such(script: str) -> None:
    said = ran(script)

    assert "not the output of `fanfold doctor --json`" in said["problem"]
    assert said["checks"] == []


def test_a_command_that_is_missing_is_reported() -> None:
    async def ask() -> Any:
        return await CheckRunner(["/nonexistent/doctor"])._run_checks()

    assert "/nonexistent/doctor" in asyncio.run(ask())["problem"]
