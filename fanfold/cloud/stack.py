"""A site's CloudFormation stack: may it be deployed, and does the site run what it says?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fanfold.cloud.access import START, Access, explained
from fanfold.cloud.deployed import read_deployed, read_site_deployed
from fanfold.cloud.jobs import SiteJob, repeat, show_devices
from fanfold.cloud.redeploy import Move, wait
from fanfold.common import output
from fanfold.common.errors import FAILED, MISSING, REFUSED, UserError
from fanfold.common.project import read_site
from infra.deployer.verdict import BAD
from infra.planning import Site, plan_group, render
from infra.planning.stack_names import deployment_stack_name
from infra.targets.iot import IotNames, job_settings

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"


@dataclass(frozen=True)
class Stack:
    """Status and outputs; `reason` is what its last failure said."""

    status: str
    outputs: dict[str, str]
    reason: str


def read_stack(access: Access, name: str) -> Stack | None:
    """None: there is no such stack."""
    from botocore.exceptions import ClientError

    client = access.client("cloudformation")
    with explained(access, f"stack {name}"):
        try:
            (found,) = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        failed = "FAILED" in found["StackStatus"] or "ROLLBACK" in found["StackStatus"]
        reason = _last_failure(client, name) if failed else ""
    outputs = {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])}
    return Stack(found["StackStatus"], outputs, reason)


def _last_failure(client: Any, name: str) -> str:
    for event in client.describe_stack_events(StackName=name)["StackEvents"]:
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason"):
            return f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
    return ""


def refuse_unfit(site: str, stack: Stack | None) -> None:
    """Raises UserError for a state that no deployment can start from, with the way out."""
    if stack is None:
        return
    because = f" ({stack.reason})" if stack.reason else ""
    match stack.status:
        case "UPDATE_ROLLBACK_FAILED":
            way = f"Finish the rollback first: npx cdk rollback {site}; then deploy again."
        case "ROLLBACK_FAILED" | "DELETE_FAILED" | "CREATE_FAILED":
            way = f"Fix the cause, remove what is left: fanfold destroy {site}; then deploy again."
        case status if status.endswith("_IN_PROGRESS"):
            way = "Another operation is under way: wait for its end, then try again."
        case "ROLLBACK_COMPLETE":
            output.note(f"stack {site} failed when it was created{because}; it is created again")
            return
        case _:
            return
    raise UserError(f"stack {site} is {stack.status}{because}. Nothing was changed. {way}", REFUSED)


def refuse_unbootstrapped(access: Access, account: str) -> None:
    """Raises UserError where `cdk bootstrap` has not been run for the account and region."""
    from botocore.exceptions import ClientError

    with explained(access, f"cdk bootstrap of {account}/{access.region}"):
        try:
            access.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)
        except ClientError as error:
            if "ParameterNotFound" not in str(error):
                raise
            way = START if access.cloud else f"npx cdk bootstrap aws://{account}/{access.region}"
            raise UserError(
                f"the CDK is not bootstrapped in account {account}, region {access.region}: it "
                f"has no bucket for the code. Nothing was changed. Once: {way}",
                MISSING,
            ) from error


def go_forward(access: Access, site: str, wait_s: float) -> None:
    """Deploy the stack's group version where a roll-back has left another one deployed.

    CloudFormation knows nothing of a roll-back: for an unchanged template it does nothing.
    """
    stack = read_stack(access, deployment_stack_name(site))
    deployed = read_deployed(access, site)
    wanted = stack.outputs.get("GroupVersionId") if stack else None
    if stack is None or wanted is None or deployed is None or deployed.current is None:
        return
    moves = _aliases_behind(access, site)
    if deployed.current.version == wanted and not moves:
        if deployed.current.status != "Success":
            output.note(
                f"the core has not answered yet ({deployed.current.status}); it will take the "
                f"group when it can. Follow it with: fanfold rollback {site} --list"
            )
        return
    output.note(f"{site} was rolled back: deploying the stack's group version {wanted} again")
    with explained(access, f"group {site}", f"Run `fanfold deploy {site}` again to finish."):
        for move in moves:
            access.client("lambda").update_alias(
                FunctionName=move.function, Name=move.alias, FunctionVersion=move.after
            )
        made = access.client("greengrass").create_deployment(
            GroupId=deployed.group_id, GroupVersionId=wanted, DeploymentType="NewDeployment"
        )
    status = wait(access, deployed, made["DeploymentId"], wait_s)
    output.out.print(f"{site}: deployment {made['DeploymentId']} {status}", markup=False)


def _aliases_behind(access: Access, site: str) -> list[Move]:
    """Aliases of the stack that do not name the version which the stack published last."""
    moves = []
    with explained(access, f"stack {site}"):
        pages = access.client("cloudformation").get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=deployment_stack_name(site)):
            for resource in page["StackResourceSummaries"]:
                if resource["ResourceType"] == "AWS::Lambda::Version":
                    moves += _behind(access, resource["PhysicalResourceId"])
    return moves


def _behind(access: Access, version_arn: str) -> list[Move]:
    function, _, version = version_arn.partition(":function:")[2].partition(":")
    aliases = access.client("lambda").list_aliases(FunctionName=function)["Aliases"]
    return [
        Move(function, alias["Name"], alias["FunctionVersion"], version)
        for alias in aliases
        if alias["FunctionVersion"] != version
    ]


def stacks_job(access: Access, site: str) -> str | None:
    """Target iot: the job that the site's stack made last; None: it made none yet."""
    stack = read_stack(access, deployment_stack_name(site))
    return stack.outputs.get("JobId") if stack else None


def go_forward_by_job(access: Access, site: Site, wait_s: float, before: str | None = None) -> None:
    """Target iot: say what the stack's job did; make it again where it is no longer the newest,
    or where this deployment changed nothing (`before`: the stack's job until then) and a device
    has not taken it: CloudFormation knows nothing of what came after its own wait.

    Raises UserError where the job has failed.
    """
    wanted = stacks_job(access, site.name)
    deployed = read_site_deployed(access, site)
    if wanted is None or deployed is None:
        return
    newest, job = deployed.jobs[0], next((j for j in deployed.jobs if j.id == wanted), None)
    if job is None or newest.version == job.version:
        refused = newest.outcome == "Failure" or any(d.status in BAD for d in newest.devices)
        if job is None or before != wanted or not refused:
            _print_devices(site, newest)
            return
        output.note(f"{site.name}: {newest.error}")
        output.note("nothing has changed since: deploying it again, as a new job")
    else:
        output.note(f"{site.name} was rolled back: deploying what job {wanted} brought again")
    document = render(plan_group(site, read_site(site.name)[1]))
    target = IotNames.of(document).target(document)
    repeat(access, job, target, job_settings(document), wait_s)


def _print_devices(site: Site, job: SiteJob) -> None:
    show_devices(job.devices)
    if not job.devices:
        output.note(
            f"no box is in group {site.core.group} yet; each gets this deployment when it "
            f"joins: fanfold provision {site.name} --thing NAME"
        )
    if job.outcome == "Failure":
        raise UserError(
            f"job {job.id} failed: {job.error}. When that is repaired, deploy again: "
            f"fanfold deploy {site.name}",
            FAILED,
        )
