"""Checks (stub while the rules are written)."""

from infra.planning.findings import Finding
from infra.planning.model import Plan


def check(plan: Plan) -> list[Finding]:
    return []
