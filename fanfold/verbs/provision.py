"""`fanfold provision SITE`: certificates, keys and policies of the core and its devices."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from fanfold.cloud.access import explained, reach
from fanfold.cloud.certificates import refuse_foreign
from fanfold.cloud.preflight import refuse_other_account
from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import read_site, site_file, state_dir
from fanfold.provision import Identities, core_policy, device_policy
from infra.planning import Plan, plan_group


def register(app: typer.Typer) -> None:
    app.command("provision")(provision)


def provision(
    site: str = typer.Argument(help="A site's name."),
    rotate: bool = typer.Option(False, help="New keys and certificates for every thing."),
    remove: bool = typer.Option(
        False, help="Deactivate and delete the certificates that were provisioned."
    ),
    aws: bool = typer.Option(False, "--aws", help="AWS, even if a development cloud runs."),
) -> None:
    """Make a certificate and a narrow policy for the core, each camera and the console.

    Keys stay below .fanfold/certificates (0600); the ARNs go to certificates/SITE.json beside
    the site, where plan and deploy find them. Repeating it changes nothing.
    Example: fanfold provision demo
    """
    settings, profile = read_site(site)
    made = plan_group(settings, profile)
    access = reach(settings.region, aws=aws)
    if not remove:
        refuse_other_account(access, settings.account, settings.name)
    record = site_file(site).parent / (
        settings.certificates or f"certificates/{settings.name}.json"
    )
    folder = state_dir() / "certificates" / settings.name
    again = (
        f"Nothing is lost: fix the problem and run `fanfold provision {settings.name}"
        f"{' --remove' if remove else ''}` again; it continues where it stopped."
    )
    with explained(access, f"identities of {settings.name}", again):
        identities = Identities(access.client("iot"), folder, _readable(record))
        if remove:
            _remove(identities, settings.name)
        else:
            refuse_foreign(access, identities.arns, settings.name, gone=True)
            _ensure(identities, made, rotate=rotate)
    if not remove:
        output.note(f"keys in {folder}; certificate ARNs in {record}")


def _ensure(identities: Identities, made: Plan, *, rotate: bool) -> None:
    site = made.site
    core = core_policy(site.region, site.account, made.core.name, site.name)
    policies = {made.core.name: core}
    for device in made.devices:
        policies[device.name] = device_policy(site.region, site.account, device.name)
    for thing, policy in policies.items():
        done = identities.ensure(thing, policy, rotate=rotate)
        output.out.print(f"{done.what:<8} {thing}  {done.certificate_arn}", markup=False)
    if missing := identities.attach_things():
        output.note(
            f"not deployed yet: {', '.join(missing)}. After `fanfold deploy {site.name}` run this "
            "again: it attaches the certificates to the things."
        )


def _remove(identities: Identities, site: str) -> None:
    things = list(identities.arns)
    for thing in things:
        if done := identities.remove(thing):
            output.out.print(f"{done.what:<8} {thing}  {done.certificate_arn}", markup=False)
    if not things:
        output.note(f"{site}: nothing is provisioned")


def _readable(record: Path) -> Path:
    """The record itself, once it is known to be one. Raises UserError."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return record
    except ValueError as error:
        raise UserError(
            f"{record}: is not JSON ({error}). It maps things to certificate ARNs; restore it from "
            "version control, or remove it and run this again: new certificates are made.",
            INVALID,
        ) from error
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise UserError(f"{record}: maps things to certificate ARNs, and this does not", INVALID)
    return record
