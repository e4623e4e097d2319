"""What fits the way to the device that the site names."""

from __future__ import annotations

from collections.abc import Iterator

from infra.planning.checks.rule import Broken, rule
from infra.planning.components import RuntimeFile
from infra.planning.model import Plan

_GUIDE = "docs/guides/aws-today.md"
_V2 = "docs/guides/greengrass-v2.md"
MOQUETTE = "aws.greengrass.clientdevices.mqtt.Moquette"
MOQUETTE_PORT = 8883


@rule("FF160", "error", _V2)
def components_have_a_runtime(plan: Plan) -> Iterator[Broken]:
    """Target v2 needs a runtime archive for the profile's architecture, and a model package."""
    site = plan.site
    if site.target != "v2":
        return
    arch = plan.profile.architecture
    known = [each for name in site.components.runtimes if (each := RuntimeFile.of(name))]
    if arch not in {each.arch for each in known}:
        yield (
            f"site {site.name}",
            f"components.runtimes has none for {arch}, profile {plan.profile.name}.",
            f"Make one: fanfold bundle --runtime-zip --arch {arch}; then name the file there.",
        )
    if site.model.s3_uri is None:
        yield (
            f"site {site.name}",
            "model.s3_uri is missing: the Model component has no artifact.",
            "Publish a package (fanfold model publish), and name it or pass --model.",
        )


@rule("FF161", "error", _GUIDE)
def groups_go_by_jobs(plan: Plan) -> Iterator[Broken]:
    """Only targets iot and v2 deploy to a thing group: a Greengrass V1 group has one core."""
    site = plan.site
    if site.core.group is not None and site.target == "v1":
        yield (
            f"site {site.name}",
            f"core.group {site.core.group} with target v1; only iot and v2 take a group.",
            "Write target: iot or v2, or name one thing.",
        )


@rule("FF163", "error", _V2)
def port_is_not_moquettes(plan: Plan) -> Iterator[Broken]:
    """With AWS's Moquette in the same deployment, the core's MQTT listens on another port."""
    site = plan.site
    if site.target != "v2" or MOQUETTE not in site.components.beside:
        return
    for name, port in site.components.ports.model_dump().items():
        if port == MOQUETTE_PORT:
            yield (
                f"site {site.name}",
                f"components.ports.{name} is {port}, which {MOQUETTE} takes (AWS's default).",
                f"Give components.ports.{name} another one, e.g. 8884.",
            )


@rule("FF164", "error", _V2)
def no_containers_of_our_own(plan: Plan) -> Iterator[Broken]:
    """Under a nucleus the core has no rights for containers: functions run without one."""
    if plan.site.target == "v2" and plan.isolation == "container":
        yield (
            f"site {plan.site.name}",
            "isolation is container; a component runs unprivileged and can make none.",
            "Write isolation: none.",
        )


@rule("FF166", "warning", _V2)
def lite_wants_a_thing_group(plan: Plan) -> Iterator[Broken]:
    """Nucleus lite gets its deployments by thing group; a single thing is the Java nucleus's."""
    site = plan.site
    if site.target == "v2" and site.core.group is None and site.components.nucleus == "any":
        yield (
            f"site {site.name}",
            f"core.thing {site.core.thing}: nucleus lite takes deployments for a thing group only "
            "(AWS's agent context pack, 2026-03).",
            "Name core.group, or write components.nucleus: java.",
        )
