"""What a container and its absence each demand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from contract import limits
from infra.planning import sizing
from infra.planning.checks.rule import Broken, rule
from infra.planning.model import DeviceNode, ModelResource, Plan, Volume
from infra.planning.resources import SHM_DIR

_GUIDE = "https://docs.aws.amazon.com/greengrass/v1/developerguide/"


@rule("FF120", "error", limits.CONTAINERS.source)
def containers_within_limit(plan: Plan) -> Iterator[Broken]:
    """The functions that run in containers at once are at most the profile's limit
    (20 unless it says otherwise)."""
    if plan.isolation == "none":
        return
    count = sum(1 if each.pinned else each.processes for each in plan.functions)
    limit = plan.profile.containers.limit
    if count > limit:
        fewer = plan.copies - (count - limit)
        yield (
            f"site {plan.site.name}",
            f"{count} containers, {limit} allowed.",
            f"Use at most {max(fewer, 1)} workers, strategy: pool, or isolation: none.",
        )


@rule("FF121", "error", limits.UNPINNED_WORKERS.source)
def on_demand_within_limit(plan: Plan) -> Iterator[Broken]:
    """On-demand functions run at most 25 workers at once."""
    count = sum(each.processes for each in plan.functions if not each.pinned)
    limit = limits.UNPINNED_WORKERS.value
    if count > limit:
        yield (
            f"site {plan.site.name}",
            f"{count} on-demand workers, {limit} allowed.",
            "Use fewer workers, or strategy: pinned.",
        )


@rule("FF122", "error", _GUIDE + "lambda-group-config.html")
def device_can_isolate(plan: Plan) -> Iterator[Broken]:
    """Containers are asked for only on a device that has them."""
    if plan.isolation == "container" and not plan.profile.containers.supported:
        yield (
            f"site {plan.site.name}",
            f"isolation: container, but profile {plan.profile.name} does not support containers.",
            "Set isolation: none or auto.",
        )


@rule("FF123", "error", _GUIDE + "access-local-resources.html")
def resources_match_isolation(plan: Plan) -> Iterator[Broken]:
    """Without containers only the model is a resource, with an owner and without a permission;
    in containers every policy has a permission, and /dev/shm is `rw`."""
    bare = plan.isolation == "none"
    for resource in plan.resources:
        is_model = isinstance(resource, ModelResource)
        if bare and not is_model:
            yield f"resource {resource.id}", "is not allowed without containers.", "Remove it."
        if isinstance(resource, ModelResource) and bare is (resource.group_owner is None):
            want = "needs" if bare else "may not have"
            yield f"resource {resource.id}", f"{want} an owner here.", "Correct group_owner."
    shm = {r.id for r in plan.resources if isinstance(r, Volume) and r.path == SHM_DIR}
    for function in plan.functions:
        for policy in function.policies:
            subject = f"function {function.id}"
            if bare is (policy.permission is not None):
                want = "may not have" if bare else "needs"
                message = f"its policy for {policy.resource} {want} a permission."
                yield subject, message, "Correct the policy."
            elif policy.resource in shm and policy.permission == "ro":
                yield subject, f"{SHM_DIR} is ro, rw is required.", "Make it rw."


@rule("FF124", "error", "infra/planning/sizing.py")
def memory_is_sane(plan: Plan) -> Iterator[Broken]:
    """A function has at least 16,384 KB: less is a footprint in the wrong unit."""
    for function in plan.functions:
        if function.memory_kb < sizing.SANE_MEMORY_KB:
            yield (
                f"function {function.id}",
                f"{function.memory_kb} KB of memory, at least {sizing.SANE_MEMORY_KB} KB needed.",
                "Correct the footprint: memory_kb is in kilobytes.",
            )


@rule("FF125", "error", limits.RESOURCES_PER_FUNCTION.source)
def resources_per_function(plan: Plan) -> Iterator[Broken]:
    """A function uses at most 10 resources, each of them in the group."""
    known = {resource.id for resource in plan.resources}
    limit = limits.RESOURCES_PER_FUNCTION.value
    for function in plan.functions:
        count = len(function.policies)
        if count > limit:
            yield (
                f"function {function.id}",
                f"uses {count} resources, {limit} allowed.",
                "Use strategy: pinned, where a function sees one GPU only, or isolation: none.",
            )
        missing = sorted({policy.resource for policy in function.policies} - known)
        if missing:
            text = f"uses {', '.join(missing)}, which the group does not have."
            yield f"function {function.id}", text, "Add the resource."


@rule("FF126", "error", limits.FORBIDDEN_VOLUME_SOURCE)
def paths_are_allowed(plan: Plan) -> Iterator[Broken]:
    """A volume is not at or below /var, /sys, /proc or /dev, except /dev/shm; a device file is
    below /dev and not /dev/shm; paths are plain."""
    for resource in plan.resources:
        if isinstance(resource, Volume):
            path = PurePosixPath(resource.path)
            below = [root for root in limits.FORBIDDEN_VOLUME_ROOTS if _is_below(path, root)]
            if resource.path != SHM_DIR and (below or path == PurePosixPath("/")):
                yield (
                    f"volume {resource.id}",
                    f"{path} is below {below[0] if below else '/'}, which Greengrass refuses.",
                    "Use another folder, e.g. below /srv, or bind-mount it there.",
                )
            if ".." in path.parts:
                yield (
                    f"volume {resource.id}",
                    f"{path} contains '..'.",
                    "Write the path without '..'.",
                )
        if isinstance(resource, DeviceNode) and _is_below(PurePosixPath(resource.path), SHM_DIR):
            text = f"{resource.path} is memory, not a device."
            yield f"device {resource.id}", text, "Remove it from the profile's devices."


@rule("FF127", "error", "docs/spec/environment.md")
def volumes_are_apart(plan: Plan) -> Iterator[Broken]:
    """The images and the state volume do not contain one another."""
    images, state = (PurePosixPath(p) for p in (plan.site.volumes.images, plan.site.volumes.state))
    if images.is_relative_to(state) or state.is_relative_to(images):
        yield (
            f"site {plan.site.name}",
            f"volumes {images} and {state} overlap.",
            "Use two folders side by side.",
        )


def _is_below(path: PurePosixPath, root: str) -> bool:
    return path.is_relative_to(root)
