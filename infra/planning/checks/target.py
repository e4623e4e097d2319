"""What fits the way to the device that the site names."""

from __future__ import annotations

from collections.abc import Iterator

from infra.planning.checks.rule import Broken, rule
from infra.planning.model import Plan

_GUIDE = "docs/guides/aws-today.md"


@rule("FF160", "error", _GUIDE)
def target_is_served(plan: Plan) -> Iterator[Broken]:
    """The target is one that this version deploys: v1 or iot."""
    if plan.site.target == "v2":
        yield (
            f"site {plan.site.name}",
            "target v2 is not served yet.",
            "Use target: iot, which needs nothing but AWS IoT Core on the cloud's side.",
        )


@rule("FF161", "error", _GUIDE)
def groups_go_by_jobs(plan: Plan) -> Iterator[Broken]:
    """Only target iot deploys to a thing group: a Greengrass V1 group has one core."""
    site = plan.site
    if site.core.group is not None and site.target != "iot":
        yield (
            f"site {site.name}",
            f"core.group {site.core.group} with target {site.target}; only iot takes a group.",
            "Write target: iot, or name one thing.",
        )
