"""Component versions of earlier deployments: AWS makes none twice, and they are retained."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fanfold.cloud.access import Access, explained
from fanfold.cloud.component_deployments import names_of
from fanfold.common.errors import INVALID, UserError
from infra.deployer.verdict import pages
from infra.planning import Site


def refuse_versions_of_before(
    access: Access, site: Site, planned: Mapping[str, str], outputs: Mapping[str, str]
) -> None:
    """Before CloudFormation would fail at it.

    `planned`: version by component; `outputs`: of the site's stack, which has its own.

    Raises UserError with the generation that is free.
    """
    in_stack = json.loads(outputs.get("ComponentVersions") or "{}")
    conflicts, generations = [], [site.components.generation]
    for name, version in planned.items():
        if in_stack.get(name.rpartition(".")[2]) == version:
            continue
        there = _versions(access, site, name)
        generations += [int(each.partition(".")[0]) for each in there if each[:1].isdigit()]
        if version in there:
            conflicts.append(f"{name} {version}")
    if conflicts:
        raise UserError(
            f"{site.name}: {', '.join(conflicts)}: was deployed before, is kept for devices "
            "that run it, and AWS makes no version twice. Write components.generation: "
            f"{max(generations) + 1} in the site's file, or go back with fanfold rollback.",
            INVALID,
        )


def _versions(access: Access, site: Site, component: str) -> list[str]:
    greengrass, names = access.client("greengrassv2"), names_of(site)
    arn = f"arn:{names.partition}:greengrass:{site.region}:{site.account}:components:{component}"
    with explained(access, f"versions of {component}"):
        try:
            found = list(pages(greengrass.list_component_versions, "componentVersions", arn=arn))
        except greengrass.exceptions.ResourceNotFoundException:
            return []
    return [str(each["componentVersion"]) for each in found]
