"""Named fault points. Without a plan each costs one comparison.

A plan is any callable ``(point, facts) -> Action | None``; tests and ``--fault-plan`` install
one. Points are listed in ``POINTS`` so that a plan that names another is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

POINTS = frozenset(
    {
        "router.before_enqueue",
        "ipc.before_reply",
        "supervisor.tick",
        "job.taken",
        "job.before_core",
        "job.fetched",
        "job.staged",
        "job.before_apply",
        "job.applied",
        "job.decided",
    }
)


@dataclass(frozen=True, slots=True)
class Action:
    """What to do at the point; ``delay_s`` only for ``delay``."""

    kind: Literal["drop", "duplicate", "delay", "refuse"]
    delay_s: float = 0.0


Plan = Callable[[str, Mapping[str, Any]], Action | None]
_plan: Plan | None = None


def install(plan: Plan | None) -> None:
    """Make ``plan`` answer every point from now on; None removes it."""
    global _plan  # noqa: PLW0603 - one core per process, and the hot path looks no further
    _plan = plan


def fault(point: str, **facts: Any) -> Action | None:
    """What the plan wants here; None, nearly always."""
    return None if _plan is None else _plan(point, facts)


def active() -> bool:
    return _plan is not None
