"""A canary runs beside everything else, and within the time that a deployment has."""

from __future__ import annotations

from collections.abc import Iterator

from infra.planning import sizing
from infra.planning.checks.rule import Broken, rule
from infra.planning.model import Plan

PREPARED_S = 600
"""What a device may need before and after the comparison: fetching, starting, the health gate."""


@rule("FF153", "warning", "site: canary.workers; footprint: memory_kb")
def canary_fits_memory(plan: Plan) -> Iterator[Broken]:
    """The canary's workers fit the device's memory beside the workers that serve."""
    canary = plan.site.canary
    if canary is None:
        return
    serving_kb = sum(f.memory_kb - f.shared_kb for f in plan.functions)
    canary_kb = canary.workers * sizing.worker_memory_kb(plan.footprint)
    usable_kb = plan.profile.usable_memory_kb
    if serving_kb + canary_kb > usable_kb:
        yield (
            f"profile {plan.profile.name}",
            f"the functions take {serving_kb} KB and {canary.workers} canary worker(s) "
            f"{canary_kb} KB more, {usable_kb} KB available.",
            "Use fewer workers, fewer canary.workers, or no canary.",
        )


@rule("FF154", "warning", "site: canary.limit_s, rollout.timeout_s")
def canary_within_the_job(plan: Plan) -> Iterator[Broken]:
    """Target iot: a device's time for its job (rollout.timeout_s) is longer than the canary's."""
    canary, site = plan.site.canary, plan.site
    if canary is None or site.target != "iot":
        return
    needed_s = canary.limit_s + PREPARED_S
    if site.rollout.timeout_s < needed_s:
        yield (
            f"site {site.name}",
            f"canary.limit_s {canary.limit_s} and {PREPARED_S} s around it are longer than "
            f"rollout.timeout_s {site.rollout.timeout_s}: the job times out first.",
            f"Set rollout.timeout_s to {needed_s} or more, or lower canary.limit_s.",
        )
