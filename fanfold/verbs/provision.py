"""`fanfold provision SITE`: certificates, keys and policies of the core and its devices."""

from __future__ import annotations

from typing import Any

import typer

from fanfold import output
from fanfold.errors import REFUSED, UserError
from fanfold.project import read_site, site_file, state_dir
from fanfold.provision import Identities, core_policy, device_policy
from fanfold.verbs.devcloud import running_cloud
from infra.planning import Plan, plan_group


def register(app: typer.Typer) -> None:
    app.command("provision")(provision)


def provision(
    site: str = typer.Argument(help="A site's name."),
    rotate: bool = typer.Option(False, help="New keys and certificates for every thing."),
    remove: bool = typer.Option(False, help="Deactivate and delete what was provisioned."),
    aws: bool = typer.Option(False, "--aws", help="AWS, even if a development cloud runs."),
) -> None:
    """Make a certificate and a narrow policy for the core, each camera and the console.

    Keys stay below .fanfold/certificates (0600); the ARNs go to certificates/SITE.json beside
    the site, where plan and deploy find them. Repeating it changes nothing.
    Example: fanfold provision demo
    """
    settings, profile = read_site(site)
    made = plan_group(settings, profile)
    record = site_file(site).parent / (
        settings.certificates or f"certificates/{settings.name}.json"
    )
    folder = state_dir() / "certificates" / settings.name
    try:
        identities = Identities(_client(settings.region, aws=aws), folder, record)
        if remove:
            _remove(identities)
        else:
            _ensure(identities, made, rotate=rotate)
    except Exception as error:
        raise _explained(error, settings.name) from error
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


def _remove(identities: Identities) -> None:
    for thing in list(identities.arns):
        if done := identities.remove(thing):
            output.out.print(f"{done.what:<8} {thing}  {done.certificate_arn}", markup=False)


def _client(region: str, *, aws: bool) -> Any:
    import boto3

    cloud = None if aws else running_cloud()
    return cloud.client("iot") if cloud else boto3.client("iot", region_name=region)


def _explained(error: Exception, site: str) -> Exception:
    """The cloud's refusals as one sentence; anything else stays what it is."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, BotoCoreError | ClientError):
        return UserError(
            f"AWS IoT: {error}. Nothing is lost: mend it (credentials, region, rights) "
            f"and run `fanfold provision {site}` again; it goes on where it stopped.",
            REFUSED,
        )
    return error
