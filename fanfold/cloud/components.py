"""Deployments of target v2, made and watched: CloudFormation waits for no device."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fanfold.cloud.access import Access, explained
from fanfold.cloud.component_deployments import (
    DONE,
    ComponentDeployment,
    artifacts_of,
    effective,
    names_of,
    own_components,
    read_deployments,
)
from fanfold.common import output
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.common.project import site_file
from infra.deployer.verdict import BAD
from infra.hooks import hook_files
from infra.packaging import build_lambdas
from infra.planning import Change, Finding, InvalidInput, Plan, Site, render
from infra.site_components import nowhere, refuse_components, render_components
from infra.targets.v2.recipes import Rendered

LOOK_EVERY_S = 1.0
MODEL_ONLY = "exchanges the workers' model; the core goes on"
BESIDE_ONLY = "the core goes on"
LEAVE_THE_CORE = (MODEL_ONLY, BESIDE_ONLY)
DOWNLOADS = "artifacts-before"
"""Inline policy of the token exchange role: what a roll-back downloads again."""


def planned_versions(plan: Plan, site: str) -> dict[str, str]:
    """Versions that a deployment would give the site's own components. Raises UserError."""
    try:
        return {each.name: each.version for each in _planned(plan, site)}
    except InvalidInput as error:
        raise UserError(str(error), INVALID) from error


def component_findings(plan: Plan, site: str) -> list[Finding]:
    """What a nucleus, or the CDK, would refuse about a site of target v2."""
    if plan.site.target != "v2":
        return []
    try:
        _planned(plan, site)
    except InvalidInput as error:
        return list(error.findings)
    return []


def _planned(plan: Plan, site: str) -> tuple[Rendered, ...]:
    """Without a place for the archives. Raises InvalidInput."""
    module = plan.site.hooks
    hooks = hook_files(module, site_file(site).parent) if module else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lambdas = build_lambdas(folder / "lambdas.zip", hooks=hooks)
        document = render(plan)
        rendered = render_components(document, lambdas, folder, nowhere)
    refuse_components(document, rendered)
    return rendered


def component_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """Components whose version differs: `component Model 1.5.7 → 1.8.2`."""
    return [
        Change(f"component {name.rpartition('.')[2]}", before.get(name, "none"), version)
        for name, version in sorted(after.items())
        if before.get(name) != version
    ]


def effect_of(changed: list[Change]) -> str:
    """What a deployment of these components does on a device."""
    subjects = {change.subject for change in changed}
    if subjects == {"component Model"}:
        return MODEL_ONLY
    restarts = subjects & {"component Core", "component Runtime", "components.user"}
    return "restarts the core" if restarts else BESIDE_ONLY


def await_components(
    access: Access, site: Site, deployment_id: str, wait_s: float, what: str = "run it"
) -> str:
    """Until each device has ended, or the time is up: `Success`, `InProgress`.

    Raises UserError where one has failed.
    """
    deadline = time.monotonic() + wait_s
    with explained(access, f"deployment {deployment_id} of {site.name}"):
        while True:
            told = list(effective(access, site, deployment_id))
            if failed := [device for device in told if device.status in BAD]:
                first = failed[0]
                said = f"{site.name}: {len(failed)} of {len(told)} devices failed; {first.thing}: "
                raise UserError(f"{said}{first.reason}. See the nucleus's log there", FAILED)
            done = sum(device.status in DONE for device in told)
            if told and done == len(told):
                output.note(f"{site.name}: {done} of {len(told)} devices {what}")
                return "Success"
            if time.monotonic() > deadline:
                output.note(
                    f"{site.name}: {done} of {len(told)} devices have answered in {wait_s:g} s; "
                    "the others follow when they are online"
                )
                return "InProgress"
            time.sleep(LOOK_EVERY_S)


def deploy_again(access: Access, site: Site, deployment: ComponentDeployment, wait_s: float) -> str:
    """The same versions once more, as a new deployment; how it ended so far.

    The nuclei deleted the artifacts of what was replaced, and the role may download the newest
    alone: it may have these as well from now on.
    """
    _allow_downloads(access, site, artifacts_of(access, site, deployment))
    with explained(access, f"deployment of {site.name}"):
        made = access.client("greengrassv2").create_deployment(**deployment.given)
    return await_components(access, site, made["deploymentId"], wait_s)


def go_forward_by_components(
    access: Access, site: Site, outputs: Mapping[str, str], wait_s: float
) -> None:
    """Wait for the stack's deployment; make it again where a roll-back came later."""
    wanted = outputs.get("DeploymentId")
    made = read_deployments(access, site)
    if wanted is None or not made:
        return
    newest, stacks = made[0], next((each for each in made if each.id == wanted), None)
    if stacks is None or newest.version == stacks.version:
        await_components(access, site, newest.id, wait_s)
        return
    output.note(f"{site.name} was rolled back: deploying what {wanted} brought again")
    deploy_again(access, site, stacks, wait_s)


def uninstall(access: Access, site: Site, wait_s: float) -> None:
    """A deployment without the site's components: devices remove them and keep their work folders.

    What others have beside stays, and so do deployments of others.
    """
    made = read_deployments(access, site)
    if not made:
        return
    _forget_rights(access, site)  # AWS deletes no role that has a policy beside the stack's
    own, given = own_components(site), dict(made[0].given)
    rest = {n: c for n, c in (given.get("components") or {}).items() if n not in own}
    given |= {"components": rest, "deploymentName": f"fanfold {site.name} removed"}
    with explained(access, f"deployment of {site.name}", "Nothing was removed."):
        new = access.client("greengrassv2").create_deployment(**given)["deploymentId"]
    try:
        await_components(access, site, new, wait_s, "have removed it")
    except UserError as error:
        output.warn(str(error))


def forget_history(access: Access, site: Site) -> None:
    """The stack has deleted its own deployment; here those go that it replaced."""
    greengrass = access.client("greengrassv2")
    with explained(access, f"deployments of {site.name}"):
        for each in read_deployments(access, site):
            if each.status == "ACTIVE":
                greengrass.cancel_deployment(deploymentId=each.id)
            greengrass.delete_deployment(deploymentId=each.id)


def _forget_rights(access: Access, site: Site) -> None:
    iam, role = access.client("iam"), names_of(site).role
    with (
        explained(access, f"role {role}"),
        contextlib.suppress(iam.exceptions.NoSuchEntityException),
    ):
        iam.delete_role_policy(RoleName=role, PolicyName=DOWNLOADS)


def _allow_downloads(access: Access, site: Site, uris: list[str]) -> None:
    names = names_of(site)
    objects = [f"arn:{names.partition}:s3:::{uri.removeprefix('s3://')}" for uri in uris]
    statement: dict[str, Any] = {
        "Effect": "Allow", "Action": "s3:GetObject", "Resource": objects,
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with explained(access, f"role {names.role}"):
        access.client("iam").put_role_policy(
            RoleName=names.role, PolicyName=DOWNLOADS, PolicyDocument=policy
        )
