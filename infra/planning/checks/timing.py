"""A site's own times against those that the parts rely on (`contract.timing`)."""

from __future__ import annotations

from collections.abc import Iterator

from contract import timing
from infra.planning.checks.rule import Broken, rule
from infra.planning.model import Plan


@rule("FF150", "warning", "docs/decisions/0021-reorder-wait.md")
def gaps_at_every_failure(plan: Plan) -> Iterator[Broken]:
    """A missing image may hold its stream (max_wait_s) for longer than it takes until the images of
    a worker that ended or froze are computed by another; else each such end leaves gaps."""
    if plan.site.max_wait_s < timing.RECOVERY_S:
        yield (
            f"site {plan.site.name}",
            f"max_wait_s {plan.site.max_wait_s:g}: what a lost worker held has its record after "
            f"{timing.RECOVERY_S:g} s (it is missed after {timing.MISSED_S:g} s), so it is a gap "
            "in its stream first.",
            f"Set max_wait_s to {timing.RECOVERY_S:g} or more, or accept gaps for a shorter wait.",
        )


@rule("FF151", "warning", "docs/spec/messages.md")
def hung_before_missed(plan: Plan) -> Iterator[Broken]:
    """A worker may be silent (timeouts.worker_s) for longer than it takes until its images go to
    others; else a worker that is late once is taken for a hung one."""
    worker_s = plan.site.timeouts.worker_s
    if worker_s <= timing.MISSED_S:
        least = int(timing.MISSED_S) + 1
        yield (
            f"site {plan.site.name}",
            f"timeouts.worker_s {worker_s}: a worker counts as hung before what it holds goes to "
            f"others, after {timing.MISSED_S:g} s.",
            f"Set timeouts.worker_s to {least} or more.",
        )
