"""`fanfold rollback SITE`: back to a former deployment."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import typer

from fanfold.cloud.access import Access, reach
from fanfold.cloud.components import component_changes, deploy_again, effect_of
from fanfold.cloud.deployed import (
    Deployed,
    Deployment,
    comparable,
    read_document,
    read_site_deployed,
)
from fanfold.cloud.jobs import repeat
from fanfold.cloud.model_age import identify, model_uri, refuse_older
from fanfold.cloud.redeploy import Move, code_moves, redeploy, with_code
from fanfold.cloud.words import RESTARTS, detail_lines, sentence
from fanfold.common import output
from fanfold.common.arguments import AWS, SITE_OR_FILE
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.common.project import read_site
from infra.planning import Change, changes, plan_group, render
from infra.targets.iot import IotNames, job_settings


def register(app: typer.Typer) -> None:
    app.command("rollback")(rollback)


def rollback(
    site: str = SITE_OR_FILE,
    to: str | None = typer.Option(
        None, help="A group version or deployment, or the beginning of its id."
    ),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    allow_older_model: bool = typer.Option(
        False, "--allow-older-model", help="Also if that means an older version of the model."
    ),
    list_only: bool = typer.Option(False, "--list", help="Show the deployments and stop."),
    wait_s: float = typer.Option(60.0, help="How long to wait for the core; 0: not at all."),
    aws: bool = AWS,
    as_json: bool = typer.Option(False, "--json", help="One JSON object."),
) -> None:
    """Deploy an earlier deployment again: its group version and its code.

    Shows what that changes and asks. The stack is not touched and still describes the newer
    group; the next `fanfold deploy` goes forward again. A model that would become older is
    refused unless you allow it.
    Example: fanfold rollback line-3
    """
    settings, profile = read_site(site)
    access = reach(settings.region, aws=aws)
    deployed = read_site_deployed(access, settings)
    if deployed is None or deployed.current is None:
        raise UserError(
            f"{settings.name}: nothing is deployed, so there is nothing to roll back to. "
            f"Deploy it: fanfold deploy {settings.name}",
            MISSING,
        )
    if list_only:
        _list(deployed, as_json=as_json)
        return
    way = _Way(access, deployed, deployed.in_force or deployed.current, to)
    if not as_json:
        _show(settings.name, way)
    refuse_older(*way.models(), allowed=allow_older_model)
    if not yes:
        _ask(settings.name)
    if deployed.target == "iot":
        job = next(each for each in deployed.jobs if each.id == way.target.id)
        document = render(plan_group(settings, profile))
        names = IotNames.of(document)
        status = repeat(access, job, names.target(document), job_settings(document), wait_s)
    elif deployed.target == "v2":
        former = deployed.component_deployment(way.target)
        status = deploy_again(access, settings, former, wait_s)
    else:
        status = redeploy(access, deployed, way.target, way.moves, wait_s)
    _done(settings.name, way, status, as_json=as_json)


class _Way:
    """From what is deployed to a former deployment: the target, the code, the changes."""

    def __init__(
        self, access: Access, deployed: Deployed, current: Deployment, to: str | None
    ) -> None:
        self._access = access
        self.current = current
        self.now = read_document(access, deployed, current)
        for target in _candidates(deployed, current, to):
            self.target = target
            then = read_document(access, deployed, target)
            self.moves: list[Move] = []
            if deployed.target == "v1":  # a job carries its code; a group names an alias
                self.moves = code_moves(access, then, deployed.code_at(target))
            self.then = with_code(then, access, self.moves)
            self.changes: list[Change] = changes(comparable(self.now), comparable(self.then))
            self.effect = RESTARTS
            if deployed.target == "v2":
                versions = [deployed.component_deployment(d).versions for d in (current, target)]
                components = component_changes(*versions)
                self.changes, self.effect = [*self.changes, *components], effect_of(components)
            if self.changes:
                return
        named = f" {to!r}" if to else ""
        raise UserError(
            f"{deployed.name}: no earlier deployment{named} differs from what is deployed (group "
            f"version {current.version}). See: fanfold rollback {deployed.name} --list",
            MISSING,
        )

    def models(self) -> tuple[Any, Any]:
        return (
            identify(self._access, model_uri(self.now)),
            identify(self._access, model_uri(self.then)),
        )


def _candidates(deployed: Deployed, current: Deployment, to: str | None) -> list[Deployment]:
    """Deployments to go back to, the likeliest first."""
    if to is None:
        older = deployed.deployments[deployed.deployments.index(current) + 1 :]
        # What was redeployed stands in the list as it was first deployed, too.
        new = [each for each in older if each.kind == "NewDeployment"]
        return [each for each in new if each.status == "Success"]
    found = [d for d in deployed.deployments if d.version.startswith(to) or d.id.startswith(to)]
    versions = {each.version for each in found}
    if len(versions) > 1:
        ids = ", ".join(sorted(versions))
        raise UserError(f"--to {to}: {len(versions)} group versions start with it: {ids}", INVALID)
    if not found:
        raise UserError(
            f"--to {to}: no deployment of {deployed.name} has this version or id; see "
            f"`fanfold rollback {deployed.name} --list`",
            INVALID,
        )
    if found[0].status == "Failure":
        output.warn(f"deployment {found[0].id} failed on the core: {found[0].error}")
    return found


def _show(site: str, way: _Way) -> None:
    target = way.target
    output.out.print(
        f"back to group version {target.version}, deployed {target.created_at}", markup=False
    )
    said = sentence(site, way.changes, deployed=True, effect=way.effect)
    output.out.print(said, markup=False)
    for line in detail_lines(way.changes):
        output.out.print(f"  {line}", markup=False)


def _ask(site: str) -> None:
    if not sys.stdin.isatty():
        raise UserError(
            f"{site}: nothing was changed: no terminal to ask on. Pass --yes to roll back.",
            INVALID,
        )
    typer.confirm(f"Roll {site} back?", abort=True, err=True)


def _done(site: str, way: _Way, status: str, *, as_json: bool) -> None:
    if as_json:
        found = [asdict(change) for change in way.changes]
        output.print_json(
            {"v": 1, "site": site, "target": asdict(way.target), "changes": found, "status": status}
        )
        return
    ended = "runs it" if status == "Success" else f"has not answered yet ({status})"
    output.out.print(f"{site}: the core {ended}", markup=False)
    output.note(
        f"the stack still describes group version {way.current.version}: `fanfold deploy {site}` "
        "goes forward to it again"
    )


def _list(deployed: Deployed, *, as_json: bool) -> None:
    if as_json:
        found = [asdict(each) for each in deployed.deployments]
        output.print_json({"v": 1, "site": deployed.name, "deployments": found})
        return
    for each in deployed.deployments:
        mark = "*" if each == deployed.current else " "
        said = f"  {each.error}" if each.error else ""
        output.out.print(
            f"{mark} {each.created_at}  {each.status:<10} version {each.version}  "
            f"deployment {each.id}{said}",
            markup=False,
        )
