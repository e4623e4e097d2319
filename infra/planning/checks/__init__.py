"""The rules that a plan must keep: one function each, with a code (docs/spec/findings.md)."""

from __future__ import annotations

from infra.planning.checks import (
    advice,
    alerts,
    canary,
    cloud,
    hardware,
    identity,
    isolation,
    quotas,
    target,
    timing,
    wiring,
)
from infra.planning.checks.rule import Rule
from infra.planning.findings import Finding, by_weight
from infra.planning.model import Plan

_MODULES = (
    identity,
    wiring,
    hardware,
    isolation,
    quotas,
    cloud,
    target,
    timing,
    canary,
    advice,
    alerts,
)

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (each for module in _MODULES for each in vars(module).values() if isinstance(each, Rule)),
        key=lambda each: each.code,
    )
)


def check(plan: Plan) -> list[Finding]:
    """Everything to say about a plan, errors first. Nothing stops at the first one."""
    return by_weight(finding for each in RULES for finding in each(plan))
