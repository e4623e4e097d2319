"""What a site wants to be called for, as it comes with the group (FANFOLD_ALERTS). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VARIABLE = "FANFOLD_ALERTS"
KINDS = ("no_results", "failed_share", "label_seen", "label_rate", "backlog", "worker_down",
    "disk", "certificate", "cloud_link")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``above``: a share 0…1, images, or percent, as the kind has it; seconds and days."""

    name: str
    when: str
    above: float = 0.0
    for_s: float = 0.0
    window_s: float = 300.0
    at_least: int = 1
    days: float = 14.0
    camera: str = ""
    label: str = ""
    cool_down_s: float = 3600.0


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """``to``: settings of each way, by its name: webhook, mqtt, mail."""

    rules: tuple[Rule, ...] = ()
    to: Mapping[str, Mapping[str, Any]] | None = None
    problem: str = ""


def of_environment(environment: Mapping[str, str]) -> AlertSettings:
    """Never raises: what cannot be read is a problem that the core shows."""
    text = environment.get(VARIABLE, "")
    if not text:
        return AlertSettings()
    try:
        given = json.loads(text)
        rules = tuple(Rule(**r) for r in given.get("rules", ()))
        unknown = sorted({r.when for r in rules} - set(KINDS))
        problem = f"{VARIABLE}: rules of unknown kind {', '.join(unknown)}" if unknown else ""
        known = tuple(r for r in rules if r.when in KINDS)
        return AlertSettings(rules=known, to=dict(given.get("to", {})), problem=problem)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return AlertSettings(problem=f"{VARIABLE}: {error}; nobody will be called")
