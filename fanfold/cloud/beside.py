"""What others deployed to a site's target: a deployment uninstalls what it does not name."""

from __future__ import annotations

from fanfold.cloud.access import Access, explained
from fanfold.cloud.component_deployments import own_components, target_of
from fanfold.common.errors import INVALID, UserError
from infra.deployer.verdict import pages
from infra.planning import Site


def refuse_uninstalling(access: Access, site: Site) -> None:
    """Before a site's first deployment to a target, where somebody else's is the newest.

    Raises UserError with the components that the site's file would have to name beside.
    """
    greengrass, target = access.client("greengrassv2"), target_of(site)
    with explained(access, f"deployments of {target}"):
        listed = pages(greengrass.list_deployments, "deployments", targetArn=target)
        newest = next((each for each in listed if each.get("isLatestForTarget")), None)
        if newest is None or newest["deploymentStatus"] == "CANCELED":
            return
        given = greengrass.get_deployment(deploymentId=newest["deploymentId"])
    there = {
        name: str(each.get("componentVersion") or "")
        for name, each in (given.get("components") or {}).items()
    }
    if set(own_components(site)) & set(there):
        return  # its own: what the file no longer names is to go
    lost = {name: there[name] for name in sorted(set(there) - set(site.components.beside))}
    if lost:
        lines = "\n".join(f"    {name}: {{version: {version}}}" for name, version in lost.items())
        called = given.get("deploymentName") or newest["deploymentId"]
        raise UserError(
            f"{site.name}: deployment {called!r} of {target} runs {', '.join(lost)}: a deployment "
            "of this site would uninstall that. Name in components.beside what is to stay:\n"
            f"{lines}\nor give the site a thing group of its own.",
            INVALID,
        )
