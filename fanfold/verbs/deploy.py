"""`fanfold deploy | destroy SITE`: the real CDK, pointed at the right cloud."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

from devcloud import DevCloudError
from devcloud import bootstrap as cdk_bootstrap
from fanfold.cloud.access import Access, explained, reach
from fanfold.cloud.beside import refuse_uninstalling
from fanfold.cloud.cdk_run import require_tools, run_cdk
from fanfold.cloud.components import (
    forget_history,
    planned_versions,
    uninstall,
)
from fanfold.cloud.dealt import givers_first
from fanfold.cloud.deployed import read_document, read_site_deployed
from fanfold.cloud.going_forward import go_forward_again
from fanfold.cloud.jobs import forget_jobs
from fanfold.cloud.model_age import (
    OPTION,
    identify,
    model_beside_file,
    model_uri,
    refuse_older,
)
from fanfold.cloud.preflight import look, refuse_other_account
from fanfold.cloud.stack import (
    BOOTSTRAP_PARAMETER,
    read_stack,
    stacks_job,
)
from fanfold.cloud.synthesized import assembly_of, holds_stacks
from fanfold.cloud.versions_before import refuse_versions_of_before
from fanfold.common import output
from fanfold.common.boxes import box_of, boxes_named, one_box, shared_bucket
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.common.project import further_cores, profiles, read_site, site_file
from fanfold.provision.detaching import detach_certificates
from infra.planning import Plan, Site, check, errors, plan_group, render
from infra.planning.stack_names import cloud_id, deployment_stack_name
from infra.targets.iot.names import IotNames

AWS = typer.Option(
    False, "--aws", help="Use the AWS credentials of this shell even if a development cloud runs."
)
CORE = typer.Option(None, help="Of a site with several cores, this one only.")
MODEL = typer.Option(None, help="S3 URI of a model package, instead of the site's own.")
OLDER = typer.Option(False, OPTION, help="Deploy a model of an older version than the one there.")
AS_JSON = typer.Option(False, "--json", help="The outcome as one JSON object.")
WAIT = typer.Option(60, help="Seconds to wait for the core; one that is off takes it later.")

OVERRIDE = typer.Option(
    None,
    "--runtime-override",
    metavar="python3.N",
    help="Create the functions with a runtime that AWS Lambda still takes; run this on the device.",
)


def register(app: typer.Typer) -> None:
    app.command("deploy")(deploy)
    app.command("destroy")(destroy)


def deploy(
    site: str,
    core: str | None = CORE,
    model: str | None = MODEL,
    allow_older_model: bool = OLDER,
    wait_s: int = WAIT,
    runtime_override: str | None = OVERRIDE,
    aws: bool = AWS,
    as_json: bool = AS_JSON,
) -> None:
    """Deploy a site: `cdk deploy SITE`, after checking everything that could make it fail.

    Goes to the development cloud when one runs here (and bootstraps it the first time), else
    to AWS. An unchanged site deploys nothing; after a roll-back it goes forward again, and a job
    that a device refused is made again. A group that the core cannot run is put back by core and
    stack, and the reason is shown.
    Of a site with several cores every box, those that give a camera away before the others.
    Example: fanfold deploy demo --model s3://bucket/models/lite0/1.1.0.tar.gz
    """
    boxes = boxes_named(site) if core is None else [read_site(box_of(site, core))[0]]
    given = (model, allow_older_model, wait_s, runtime_override, aws, as_json)
    if len(boxes) == 1:
        _deploy_box(box_of(site, core) if core else site, *given)
        return
    require_tools()
    access = reach(boxes[0].region, aws=aws)
    for box, gone in givers_first(access, boxes):
        # AWS IoT deletes no thing that has a certificate; these are no longer this box's.
        with explained(access, f"things of {box.name}"):
            things = [f"{box.core.thing}-{camera}" for camera in gone]
            detach_certificates(access.client("iot"), things)
        _deploy_box(box_of(site, box.name), *given)


def _deploy_box(
    site: str,
    model: str | None,
    allow_older_model: bool,
    wait_s: int,
    runtime_override: str | None,
    aws: bool,
    as_json: bool,
) -> None:
    settings, profile = read_site(site)
    wanted = settings.with_model(model) if model else settings
    plan = plan_group(wanted, profile)
    if wrong := errors(check(plan)):
        raise UserError("\n".join(map(str, wrong)), INVALID)
    versions = planned_versions(plan, site) if settings.target == "v2" else {}
    require_tools()
    access = reach(settings.region, aws=aws)
    before: str | None = None

    def look_first() -> None:
        nonlocal before
        refuse_other_account(access, settings.account, settings.name)
        _bootstrap(access)
        look(access, plan, made_beside=shared_bucket(site))
        if settings.target == "iot":
            before = stacks_job(access, settings.name)
        if settings.target == "v2":
            refuse_uninstalling(access, settings)
            stack = read_stack(access, deployment_stack_name(settings.name))
            refuse_versions_of_before(access, settings, versions, stack.outputs if stack else {})
        _refuse_older_model(access, plan, allowed=allow_older_model)

    arguments = ["deploy", settings.name, "--require-approval", "never"]
    arguments += _context(model, wait_s, runtime_override) + _where(site, settings)
    _cdk(arguments, access, settings.name, as_json=as_json, first=look_first)
    go_forward_again(access, wanted, wait_s, before)
    if said := model_beside_file(settings, wanted, site_file(site)):
        output.note(said)
    if as_json:
        now = read_site_deployed(access, settings)
        current = now.current.id if now and now.current else None
        output.print_json(
            {"v": 1, "site": settings.name, "cloud": access.where, "deployment": current}
        )


def _context(model: str | None, wait_s: int, runtime_override: str | None) -> list[str]:
    """What app.py is told beside the site."""
    context = ["-c", f"model={model}"] if model else []
    context += ["-c", f"wait={wait_s}"]
    if runtime_override:
        context += ["-c", f"runtime_override={runtime_override}"]
    # The bucket that an earlier stack left is taken back instead of failing to be made.
    return [*context, "--import-existing-resources"]


def destroy(
    site: str,
    core: str | None = CORE,
    wait_s: int = WAIT,
    aws: bool = AWS,
    as_json: bool = AS_JSON,
) -> None:
    """Remove a site's stack: deployments are reset first; data and certificates are kept.

    Stop the core first (`fanfold stop SITE` on the device), or it keeps running the last group;
    with target v2 the devices that are online within --wait-s uninstall the components first.
    Results, models and certificates stay; certificates go with `fanfold provision SITE --remove`.
    Example: fanfold destroy demo
    """
    site = one_box(site, core)
    settings, profile = read_site(site)
    require_tools()
    access = reach(settings.region, aws=aws)
    refuse_other_account(access, settings.account, settings.name)
    stacks = {
        name: found
        for name in (settings.name, deployment_stack_name(settings.name))
        if (found := read_stack(access, name))
    }
    if not stacks:
        _forget(access, settings)
        output.note(f"{settings.name}: no stack of this name in {access.where}")
        if as_json:
            output.print_json(_destroyed(settings, access, [], []))
        return
    plan = plan_group(settings, profile)
    if settings.target == "v2":
        uninstall(access, settings, wait_s)
    if settings.target != "v1":
        _detach_policy(access, settings)
    with explained(access, f"things of {settings.name}", "Nothing was removed."):
        detach_certificates(access.client("iot"), [t.name for t in (plan.core, *plan.devices)])
    both = [settings.name, cloud_id(settings.name)]
    # The other boxes' stacks come after the first one's, and would go with it.
    alone = ["--exclusively"] if further_cores(site_file(site)) else []
    assembly = assembly_of(settings)
    ready = holds_stacks(assembly, both, settings.account, settings.region)
    where = ["--app", str(assembly)] if ready else _where(site, settings)
    arguments = ["destroy", *both, "--force", *alone, *where]
    _cdk(arguments, access, settings.name, as_json=as_json)
    _forget(access, settings)
    outputs = {name: value for stack in stacks.values() for name, value in stack.outputs.items()}
    kept = ", ".join([*_buckets(outputs), "models", "certificates"])
    output.note(
        f"kept: {kept}. Certificates go with: fanfold provision {settings.name} --remove. "
        "Deploying the site again takes the rest back."
    )
    if as_json:
        output.print_json(_destroyed(settings, access, list(stacks), _buckets(outputs)))


def _forget(access: Access, site: Site) -> None:
    """What no stack holds: former deployments, which nothing shall show or deliver any more."""
    if site.target == "v2":
        forget_history(access, site)
    elif site.target == "iot":
        forget_jobs(access, IotNames(site.name, site.account, site.region).job_prefix)


def _destroyed(site: Site, access: Access, stacks: list[str], kept: list[str]) -> dict[str, object]:
    return {"v": 1, "site": site.name, "cloud": access.where, "stacks": stacks, "kept": kept}


def _detach_policy(access: Access, site: Site) -> None:
    """AWS IoT deletes no policy that a certificate holds; `fanfold provision` attaches it again."""
    iot: Any = access.client("iot")
    policy = IotNames(site.name, site.account, site.region).policy
    with explained(access, f"policy {policy}", "Nothing was removed."):
        try:
            targets = iot.list_targets_for_policy(policyName=policy)["targets"]
        except iot.exceptions.ResourceNotFoundException:
            return
        for target in targets:
            iot.detach_policy(policyName=policy, target=target)


def _buckets(outputs: dict[str, str]) -> list[str]:
    """Buckets that outlive the stack."""
    return [f"bucket {value}" for name, value in outputs.items() if name.endswith("Bucket")]


def _cdk(
    arguments: list[str],
    access: Access,
    site: str,
    *,
    as_json: bool,
    first: Callable[[], None] | None = None,
) -> None:
    """`first`: what is looked at before, while the CDK starts; it raises where nothing may be."""
    shown = [each for each in arguments if not each.startswith("--output")]

    def begin() -> None:
        if first:
            first()
        output.note(f"cdk {' '.join(shown)}  → {access.cloud.url if access.cloud else 'AWS'}")

    run_cdk(arguments, access, site, sys.stderr if as_json else None, begin)


def _where(site: str, settings: Site) -> list[str]:
    """Only this site, from where the other verbs read it."""
    file = site_file(site).absolute()
    context = {
        "site": file.stem,
        "sites": str(file.parent),
        "profiles": str(profiles().absolute()),
    }
    folder = assembly_of(settings)
    folder.parent.mkdir(parents=True, exist_ok=True)
    pairs = [("-c", f"{name}={value}") for name, value in context.items()]
    return [*(word for pair in pairs for word in pair), f"--output={folder}"]


def _bootstrap(access: Access) -> None:
    """A new development cloud is bootstrapped by the way; AWS only by its owner."""
    if access.cloud is None:
        return
    client = access.client("ssm")
    with explained(access, "cdk bootstrap"):
        if client.get_parameters(Names=[BOOTSTRAP_PARAMETER])["Parameters"]:
            return
    with output.err.status("cdk bootstrap (about 10 s, once)"):
        try:
            cdk_bootstrap(access.cloud, region=access.region)
        except DevCloudError as error:
            raise UserError(str(error), FAILED) from error


def _refuse_older_model(access: Access, plan: Plan, *, allowed: bool) -> None:
    deployed = read_site_deployed(access, plan.site)
    if allowed or deployed is None or deployed.current is None:
        return
    before = model_uri(read_document(access, deployed, deployed.current))
    refuse_older(
        identify(access, before), identify(access, model_uri(render(plan))), allowed=allowed
    )
