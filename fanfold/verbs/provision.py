"""`fanfold provision SITE`: certificates, keys and policies of the core and its devices."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from fanfold.cloud.access import Access, explained, reach
from fanfold.cloud.certificates import refuse_foreign
from fanfold.cloud.preflight import refuse_other_account
from fanfold.common import output
from fanfold.common.arguments import AWS, SITE
from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import read_site, site_file, state_dir
from fanfold.provision import Identities, core_policy, device_policy
from fanfold.provision.identities import KEY
from fanfold.provision.joining import write_join_file
from fanfold.provision.policies import Policy
from fanfold.provision.requests import Request, read_request
from infra.planning import Plan, Site, plan_group
from infra.targets.iot.names import IotNames

Say = Callable[[str], None]
"""Where a line about a thing goes: to stdout, or to stderr beside one JSON object."""


def register(app: typer.Typer) -> None:
    app.command("provision")(provision)


def provision(
    site: str = SITE,
    rotate: bool = typer.Option(False, help="New keys and certificates for every thing."),
    retire: bool = typer.Option(
        False, "--retire", help="Target iot: end the core's former certificate after --rotate."
    ),
    remove: bool = typer.Option(
        False, help="Deactivate and delete the certificates that were provisioned."
    ),
    box: list[str] | None = typer.Option(
        None, "--thing", help="Target iot with a thing group: a box of it, made where it is not."
    ),
    csr: list[Path] | None = typer.Option(
        None,
        "--csr",
        help="A request that `install.sh --csr THING` made: its key never leaves the device.",
    ),
    aws: bool = AWS,
    as_json: bool = typer.Option(False, "--json", help="Things and certificates, one JSON object."),
) -> None:
    """Make a certificate and a narrow policy for the core, each camera and the console.

    Keys stay below .fanfold/certificates (0600); the ARNs go to certificates/SITE.json beside
    the site, where plan and deploy find them. Repeating it changes nothing.
    Example: fanfold provision demo
    """
    say = output.note if as_json else output.line
    settings, profile = read_site(site)
    made = plan_group(settings, profile)
    requests = {request.thing: request for request in map(read_request, csr or [])}
    boxes = [*(box or []), *(thing for thing in requests if thing not in (box or []))]
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
            _remove(access, settings, identities, boxes, say)
        else:
            refuse_foreign(access, identities.arns, settings.name, gone=True)
            if settings.core.group is not None:
                _boxes(access, settings, identities, _Asked(boxes, requests, rotate), say)
            else:
                _ensure(identities, made, _Asked([], requests, rotate), say)
            if settings.target == "iot":
                cores = boxes if settings.core.group is not None else [settings.core.thing]
                _former(identities, settings.name, cores, boxes, say, retire=retire)
                _join_files(access, settings, identities, cores, folder)
    if not remove:
        output.note(f"keys in {folder}; certificate ARNs in {record}")
    if as_json:
        arns = {} if remove else dict(identities.arns)
        output.print_json(
            {"v": 1, "site": settings.name, "keys": str(folder), "certificates": arns}
        )


@dataclass(frozen=True)
class _Asked:
    """`boxes` of a thing group; `requests` by thing, for keys that stay on their devices."""

    boxes: list[str]
    requests: Mapping[str, Request]
    rotate: bool


def _ensure(identities: Identities, made: Plan, asked: _Asked, say: Say) -> None:
    site = made.site
    core = core_policy(site.region, site.account, made.core.name, site.name)
    # Target iot: the site's own policy, with variables, is the stack's.
    policies: dict[str, Policy | None] = {made.core.name: None if site.target == "iot" else core}
    for device in made.devices:
        policies[device.name] = device_policy(site.region, site.account, device.name)
    if foreign := sorted(set(asked.requests) - set(policies)):
        raise UserError(
            f"--csr: {', '.join(foreign)} is no thing of {site.name}; it has "
            f"{', '.join(policies)}. Make the request for one of them.",
            INVALID,
        )
    for thing, policy in policies.items():
        request = asked.requests.get(thing)
        done = identities.ensure(
            thing, policy, rotate=asked.rotate, request=request, keep_former=policy is None
        )
        say(f"{done.what:<8} {thing}  {done.certificate_arn}")
    if missing := identities.attach_things():
        output.note(
            f"not deployed yet: {', '.join(missing)}. After `fanfold deploy {site.name}` run this "
            "again: it attaches the certificates to the things."
        )


def _boxes(access: Access, site: Site, identities: Identities, asked: _Asked, say: Say) -> None:
    """Things of the site's group, each with a certificate of its own."""
    if not asked.boxes:
        said = f"{site.name} is for thing group {site.core.group}: name the box with --thing NAME"
        raise UserError(said, INVALID)
    iot: Any = access.client("iot")
    for name in asked.boxes:
        iot.create_thing(thingName=name)
        request = asked.requests.get(name)
        done = identities.ensure(name, None, rotate=asked.rotate, request=request, keep_former=True)
        say(f"{done.what:<8} {name}  {done.certificate_arn}")
        try:
            iot.add_thing_to_thing_group(thingGroupName=site.core.group, thingName=name)
        except iot.exceptions.ResourceNotFoundException:
            output.note(f"{_not_yet(site)}: it puts {name} into group {site.core.group}.")
    identities.attach_things()


def _former(
    identities: Identities, site: str, cores: list[str], boxes: list[str], say: Say, *, retire: bool
) -> None:
    """A core's former certificate serves until its device has the new join file."""
    for core in cores:
        if retire:
            for arn in identities.retire_former(core):
                say(f"retired  {core}  {arn}")
        elif former := identities.former(core):
            box = f" --thing {core}" if core in boxes else ""
            serves = any(map(identities.is_active, former))
            stands = "still serves" if serves else "serves no more"
            output.note(
                f"{core}: its former certificate {stands}. When its device has the new join "
                f"file: fanfold provision {site}{box} --retire"
            )


def _join_files(
    access: Access, site: Site, identities: Identities, cores: list[str], keys: Path
) -> None:
    _attach_site_policy(access, site, identities, cores)
    for core in cores:
        _print_join_file(core, write_join_file(access, site, core, keys), keys)


def _print_join_file(core: str, path: Path, keys: Path) -> None:
    holds = (
        "it holds the private key" if (keys / core / KEY).exists() else "the key is the device's"
    )
    output.note(f"join file of {core}: {path} ({holds})")


def _attach_site_policy(
    access: Access, site: Site, identities: Identities, things: list[str]
) -> None:
    """The stack's policy on the certificates of the cores."""
    iot: Any = access.client("iot")
    policy = IotNames(site.name, site.account, site.region).policy
    try:
        for thing in things:
            iot.attach_policy(policyName=policy, target=identities.arns[thing])
    except iot.exceptions.ResourceNotFoundException:
        output.note(f"{_not_yet(site)}: it gives the certificates policy {policy}.")


def _not_yet(site: Site) -> str:
    return f"not deployed yet. After `fanfold deploy {site.name}` run this again"


def _remove(access: Access, site: Site, identities: Identities, boxes: list[str], say: Say) -> None:
    """Certificates of the boxes named, else of all; a box's thing was made here and goes too."""
    if unknown := sorted(set(boxes) - set(identities.arns)):
        known = ", ".join(identities.arns) or "none"
        said = f"{site.name}: {', '.join(unknown)} was not provisioned here; there are: {known}"
        raise UserError(said, INVALID)
    things = boxes or list(identities.arns)
    iot: Any = access.client("iot")
    for thing in things:
        if done := identities.remove(thing):
            say(f"{done.what:<8} {thing}  {done.certificate_arn}")
        if site.core.group is not None:
            iot.delete_thing(thingName=thing)
    if not things:
        output.note(f"{site.name}: nothing is provisioned")


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
