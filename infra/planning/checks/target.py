"""What fits the way to the device that the site names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.planning.brokers_beside import ports_taken
from infra.planning.bundles import BundleFile
from infra.planning.checks.rule import Broken, rule
from infra.planning.components import RuntimeFile
from infra.planning.model import Plan

_GUIDE = "docs/guides/aws-today.md"
_V2 = "docs/guides/greengrass-v2.md"
_FILE = re.compile(r"[A-Za-z0-9._+=@-]+")


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


@rule("FF177", "error", _GUIDE)
def bundles_come_by_jobs(plan: Plan) -> Iterator[Broken]:
    """Only target iot brings a core's bundle, and one for the architecture of the profile."""
    site, arch = plan.site, plan.profile.architecture
    if site.core.bundle is None:
        return
    if site.target != "iot":
        yield (
            f"site {site.name}",
            f"core.bundle with target {site.target}; only jobs bring another core.",
            "Remove it, or write target: iot.",
        )
    made = BundleFile.of(site.core.bundle)
    if made is not None and made.arch != arch:
        yield (
            f"site {site.name}",
            f"core.bundle is for {made.arch}, profile {plan.profile.name} for {arch}.",
            f"Make one: fanfold bundle --arch {arch}.",
        )


@rule("FF163", "error", _V2)
def ports_are_no_brokers(plan: Plan) -> Iterator[Broken]:
    """With an MQTT broker of AWS's in the same deployment, the core listens on other ports."""
    site = plan.site
    for broker, beside in site.components.beside.items() if site.target == "v2" else ():
        for taken, said in ports_taken(broker, beside.merge):
            for name, port in site.components.ports.model_dump().items():
                if port == taken:
                    yield (
                        f"site {site.name}",
                        f"components.ports.{name} is {port}, which {broker} takes ({said}).",
                        f"Give components.ports.{name} another one, e.g. {taken + 1}.",
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


@rule("FF167", "error", _V2)
def model_file_is_a_plain_word(plan: Plan) -> Iterator[Broken]:
    """Target v2: the name of the package's file stands in a script of the recipe, as a word."""
    site = plan.site
    name = (site.model.s3_uri or "").rpartition("/")[2]
    if site.target == "v2" and name and not _FILE.fullmatch(name):
        yield (
            f"site {site.name}",
            f"model.s3_uri: the file {name!r} is a word of the Model component's script, where "
            "letters, digits and . _ + = @ - are safe.",
            "Publish it under a plain name: fanfold model publish gives it one.",
        )


@rule("FF168", "error", _V2)
def own_components_are_the_sites(plan: Plan) -> Iterator[Broken]:
    """Target v2: what stands beside is somebody else's; the site's own components are rendered."""
    site = plan.site
    own = f"fanfold.{site.name}."
    for name in site.components.beside if site.target == "v2" else ():
        if name.startswith(own):
            yield (
                f"site {site.name}",
                f"components.beside names {name}, which the site renders itself.",
                "Remove it there.",
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
