"""`fanfold diff SITE`: what a deployment would change, against what is deployed."""

from __future__ import annotations

import dataclasses
from typing import Any

import typer

from fanfold.cloud.access import reach
from fanfold.cloud.comparing import compare
from fanfold.cloud.components import LEAVE_THE_CORE
from fanfold.cloud.deployed import read_document, read_site_deployed
from fanfold.cloud.words import detail_lines, sentence
from fanfold.common import output
from fanfold.common.arguments import AWS, SITE_OR_FILE
from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import read_site
from infra.planning import Change, check, errors, plan_group

CHANGES = 2


def register(app: typer.Typer) -> None:
    app.command("diff")(diff)


def diff(
    site: str = SITE_OR_FILE,
    model: str | None = typer.Option(None, help="As if deployed with this model's S3 URI."),
    aws: bool = AWS,
    as_json: bool = typer.Option(False, "--json", help="One JSON object."),
) -> None:
    """Show what `fanfold deploy SITE` would change in the deployed group.

    Reads the deployed group back from the cloud and changes nothing; with target v2 also the
    versions of its components. Exit code 0: nothing
    would change; 2: something would. The stack's other resources: npx cdk diff SITE
    Example: fanfold diff line-3 --model s3://my-models/models/lite0/1.1.0.tar.gz
    """
    settings, profile = read_site(site)
    plan = plan_group(settings.with_model(model) if model else settings, profile)
    if wrong := errors(check(plan)):
        raise UserError("\n".join(map(str, wrong)), INVALID)
    access = reach(settings.region, aws=aws)
    deployed = read_site_deployed(access, settings)
    current = deployed.current if deployed else None
    before = read_document(access, deployed, current) if deployed and current else None
    found, effect = compare(plan, site, deployed, before)
    facts = dataclasses.asdict(current) if current else None
    if as_json:
        output.print_json(_as_data(settings.name, facts, found, effect))
    else:
        failed = deployed is not None and deployed.deployments[0].status == "Failure"
        again = settings.target == "iot" and failed
        _show(settings.name, facts, found, effect, made_again=again)
    if found:
        raise typer.Exit(CHANGES)


def _as_data(
    site: str, deployed: dict[str, Any] | None, found: list[Change], effect: str
) -> dict[str, Any]:
    return {
        "v": 1,
        "site": site,
        "deployed": deployed,
        "changes": [dataclasses.asdict(change) for change in found],
        "restarts": bool(found) and effect not in LEAVE_THE_CORE,
    }


def _show(
    site: str,
    deployed: dict[str, Any] | None,
    found: list[Change],
    effect: str,
    *,
    made_again: bool,
) -> None:
    said = sentence(
        site, found, deployed=deployed is not None, effect=effect, made_again=made_again
    )
    output.out.print(said, markup=False)
    for line in detail_lines(found) if deployed else ():
        output.out.print(f"  {line}", markup=False)
    if deployed:
        output.note(
            f"deployed: group version {deployed['version']}, deployment {deployed['id']} of "
            f"{deployed['created_at']} ({deployed['status']})"
        )
