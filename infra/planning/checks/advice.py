"""What stops no deployment, and what a user should still know."""

from __future__ import annotations

from collections.abc import Iterator

from contract import limits
from infra.planning.checks.rule import Broken, rule
from infra.planning.model import Plan


@rule("FF201", "warning", limits.CONTAINERS.source)
def on_demand_is_not_recommended(plan: Plan) -> Iterator[Broken]:
    """The `on_demand` strategy loads the model again for every new container, cannot bound how
    many there are, and gives all of them the same GPU."""
    if plan.site.strategy != "on_demand":
        return
    gpus = len(plan.profile.accelerators)
    idle = f", and {gpus - 1} of {gpus} GPUs stay idle" if gpus > 1 else ""
    yield (
        f"site {plan.site.name}",
        f"strategy on_demand loads the model in every new container{idle}.",
        "Use strategy: pinned; keep this one for comparison.",
    )


@rule("FF206", "info", "docs/guides/strategies.md")
def decoupled_gains_little(plan: Plan) -> Iterator[Broken]:
    """The `decoupled` strategy pays where one core cannot transform as fast as a GPU infers: a
    pinned worker transforms ahead while its network runs, and on a CPU both share the cores."""
    if plan.site.strategy != "decoupled":
        return
    subject = f"site {plan.site.name}"
    ms = plan.footprint.ms if plan.footprint else None
    if not plan.profile.accelerators:
        text = "strategy decoupled on a CPU device: both stages share the same cores."
        yield subject, text, "Use strategy: pinned, and compare with `fanfold bench`."
    elif ms is not None and ms.transform <= ms.inference:
        yield (
            subject,
            f"the transform ({ms.transform:g} ms) hides behind the network ({ms.inference:g} ms) "
            "in a pinned worker too.",
            "Use strategy: pinned, and compare with `fanfold bench`.",
        )


@rule("FF202", "warning", limits.RUNTIME_CREATE_ENDS_SOURCE)
def runtime_ends(plan: Plan) -> Iterator[Broken]:
    """Functions are python3.8, the newest that a V1 core runs; AWS Lambda creates none after
    2027-02-01."""
    if plan.site.target != "v1":
        return
    yield (
        f"{len(plan.functions)} functions",
        f"{limits.RUNTIME}: AWS Lambda refuses new functions from {limits.RUNTIME_CREATE_ENDS}.",
        "Create the site before that date, or use the runtime override after it.",
    )


@rule("FF203", "info", limits.V1_ENDED_SOURCE)
def v1_ended(plan: Plan) -> Iterator[Broken]:
    """AWS ended Greengrass V1 on 2026-10-07; the embedded core runs the group."""
    if plan.site.target != "v1":
        return
    yield (
        f"site {plan.site.name}",
        f"AWS ended Greengrass V1 on {limits.V1_ENDED}.",
        "Write `target: iot`, or deploy to the development cloud or an endpoint of your own.",
    )


@rule("FF204", "info", "docs/spec/model-package.md")
def footprint_unknown(plan: Plan) -> Iterator[Broken]:
    """Without a footprint memory is a guess, and GPU memory and throughput cannot be checked."""
    if plan.footprint is None:
        yield (
            f"site {plan.site.name}",
            "the model's footprint is not known, so its memory is estimated.",
            "Pack the model with `fanfold model`, which measures it, or set model.footprint.",
        )


@rule("FF205", "info", "measured; see infra/planning/threads.py")
def idle_cores(plan: Plan) -> Iterator[Broken]:
    """A CPU device has no core idle but the reserved ones."""
    computing = plan.by_role("transform", "inference", "pool")
    used = sum(each.processes * each.threads for each in computing)
    usable = plan.profile.usable_cores
    if not plan.profile.accelerators and used < usable:
        yield (
            f"profile {plan.profile.name}",
            f"{used} of {usable} usable cores have work.",
            "Use workers: auto, or give the model more memory.",
        )
