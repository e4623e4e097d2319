"""What a check is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.planning import Plan

Level = Literal["ok", "warning", "error", "skipped"]


@dataclass(frozen=True)
class Subject:
    """What is checked: the device interpreter, and a site's plan and state where one is named."""

    python: Path | None
    plan: Plan | None
    state: Path | None


@dataclass(frozen=True)
class Outcome:
    level: Level
    message: str
    fix: str = ""


Check = Callable[[Subject], Outcome]


def ok(message: str) -> Outcome:
    return Outcome("ok", message)


def skipped(message: str) -> Outcome:
    """Could not be looked at here; never shown as passed."""
    return Outcome("skipped", message)


def warning(message: str, fix: str) -> Outcome:
    return Outcome("warning", message, fix)


def error(message: str, fix: str) -> Outcome:
    return Outcome("error", message, fix)
