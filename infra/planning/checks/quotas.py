"""Counts that AWS limits per group."""

from __future__ import annotations

from collections.abc import Iterator

from contract import limits
from infra.planning import sizing
from infra.planning.checks.rule import Broken, rule
from infra.planning.model import Plan


@rule("FF130", "error", limits.FUNCTIONS_PER_GROUP.source)
def group_quotas(plan: Plan) -> Iterator[Broken]:
    """A group has at most 200 functions, 200 resources, 10,000 subscriptions and 2,500 devices."""
    counted = [
        (len(plan.functions) + len(plan.system_functions), limits.FUNCTIONS_PER_GROUP, "workers"),
        (len(plan.resources), limits.RESOURCES_PER_GROUP, "device files"),
        (len(plan.subscriptions), limits.SUBSCRIPTIONS_PER_GROUP, "cameras or workers"),
        (len(plan.devices), limits.DEVICES_PER_GROUP, "cameras"),
    ]
    for count, limit, knob in counted:
        if count > limit.value:
            yield (
                f"site {plan.site.name}",
                f"{count} {limit.unit}, {limit.value} allowed.",
                f"Use fewer {knob}, or a second site.",
            )


@rule("FF131", "error", limits.WORK_ITEMS.source)
def queue_never_overflows(plan: Plan) -> Iterator[Broken]:
    """All credits together fill at most half of the core's queue of 1,024 work items:
    what is above it the core ignores without a word."""
    splitter = plan.by_role("splitter")[0]
    credits_ = int(splitter.environment["FANFOLD_WINDOW"]) * len(plan.fed)
    items = credits_ * sizing.WORK_ITEMS_PER_BATCH
    room = int(limits.WORK_ITEMS.value * sizing.WORK_ITEMS_SHARE)
    if credits_ > sizing.BATCHES_IN_FLIGHT:
        yield (
            f"site {plan.site.name}",
            f"{credits_} batches in flight make {items} work items, {room} allowed.",
            "Lower window or workers.",
        )


@rule("FF132", "warning", "footprint: ms")
def batches_end_in_time(plan: Plan) -> Iterator[Broken]:
    """What a worker may hold takes less than its timeout, by the footprint; else a busy worker
    is taken for a hung one."""
    if plan.footprint is None or plan.footprint.ms is None:
        return
    ms, site = plan.footprint.ms, plan.site
    # Transform functions share the workers, and each waits for what it has handed over.
    turns = max(1.0, len(plan.by_role("transform")) / plan.copies)
    held_s = site.window * site.batch * (ms.transform + ms.inference * turns) / 1000
    if held_s > site.timeouts.worker_s:
        yield (
            f"site {site.name}",
            f"window {site.window} × batch {site.batch} takes {held_s:.1f} s, "
            f"timeouts.worker_s is {site.timeouts.worker_s}.",
            "Lower batch or window, or raise timeouts.worker_s.",
        )
