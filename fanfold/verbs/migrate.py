"""`fanfold migrate SOURCE FILE`: a V1 group as a site file for AWS IoT jobs or Greengrass V2."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError
from ruamel.yaml import YAML

from contract.topics import NAME
from edgecore.sources.aws_clients import AwsClients
from fanfold.common import output, project
from fanfold.common.arguments import REGION
from fanfold.common.errors import INVALID, UserError
from fanfold.importing.as_site import Migrated, as_site
from fanfold.importing.given import IMPORT_VALUE, PARAMETER, pairs
from fanfold.importing.reading import imported_from
from fanfold.importing.settings_lost import settings_lost
from infra.planning import Site
from infra.planning.load import load_profile


class Target(str, Enum):
    """Ways to a device that AWS still serves."""

    iot = "iot"
    v2 = "v2"


def register(app: typer.Typer) -> None:
    app.command("migrate")(migrate)


def migrate(
    source: str = typer.Argument(
        help="What `fanfold import` reads: a template, an on-device group.json, a group document, "
        "or greengrass:NAME."
    ),
    file: Path = typer.Argument(help="The new site file, sites/NAME.yaml."),
    target: Target = typer.Option(Target.iot, help="How the site reaches its device from now on."),
    profile: str = typer.Option("this-machine", help="A file of device_profiles/, without .yaml."),
    parameter: list[str] | None = PARAMETER,
    import_value: list[str] | None = IMPORT_VALUE,
    region: str | None = REGION,
    endpoint_url: str | None = typer.Option(None, help="Of an API that is not AWS's own."),
    as_json: bool = typer.Option(False, "--json", help="What was written, as one JSON object."),
) -> None:
    """Turn a Greengrass V1 group into a site for a target that is alive, with a report.

    FILE gets what the group holds; FILE.REPORT.md lists what a person must add, and what of the
    group has no counterpart. Nothing is deployed: look at it with fanfold plan.
    Exit code 0: the file is complete; 2: something must be added, or the source is not understood.
    Example: fanfold migrate greengrass:line-3 sites/line-3.yaml --target iot
    """
    _checked(file, profile)
    cloud = AwsClients(endpoint_url=endpoint_url, region=region)
    with imported_from(source, cloud, pairs(parameter), pairs(import_value)) as imported:
        made = as_site(imported.document, target.value, profile, file.stem)
        lacking = (*made.lacking, *_lost(imported.document, made, profile))
    if (name := made.site["name"]) != file.stem:
        said = f"{file}: the group is site {name}, and a site's file has its name"
        raise UserError(f"{said}; pass {file.with_stem(name)}", INVALID)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        YAML().dump(_quoted(made.site), out)
    report = file.with_name(f"{file.stem}.REPORT.md")
    report.write_text(_report(source, lacking, made.report), encoding="utf-8")
    for sentence in (*lacking, *made.report):
        output.warn(sentence)
    if as_json:
        output.print_json(
            {
                "v": 1,
                "site": str(file),
                "target": target.value,
                "report": str(report),
                "to_add": list(lacking),
                "left_behind": list(made.report),
            }
        )
    output.note(
        f"{file}: target {target.value}; {report} lists what to add and what is left behind"
    )
    if lacking:
        raise typer.Exit(INVALID)


def _checked(file: Path, profile: str) -> None:
    """What the other verbs would not take is said before anything is read. Raises UserError."""
    if file.exists():
        raise UserError(f"{file}: is there already; pass a new file", INVALID)
    if file.suffix != ".yaml" or not re.fullmatch(NAME, file.stem):
        said = f"{file}: a site's file is NAME.yaml, and its name matches {NAME}"
        raise UserError(f"{said}; pass e.g. {file.with_name('line-3.yaml')}", INVALID)
    if not (project.profiles() / f"{profile}.yaml").is_file():
        known = ", ".join(sorted(each.stem for each in project.profiles().glob("*.yaml")))
        said = f"--profile {profile}: no such file in {project.profiles()}; it has: {known}"
        raise UserError(f"{said}. fanfold detect writes one of this machine", INVALID)


def _lost(document: Mapping[str, Any], made: Migrated, profile: str) -> Iterator[str]:
    """Of a group of ours: every other cannot be compared."""
    if not made.own:
        return
    try:
        site = Site.model_validate_json(json.dumps(made.site))
    except ValidationError:
        said = f"fanfold plan {made.site['name']}"
        yield f"settings: could not be compared, as the site is not valid yet; {said} says why"
        return
    yield from settings_lost(document, site, load_profile(project.profiles() / f"{profile}.yaml"))


def _quoted(site: dict[str, object]) -> dict[str, object]:
    """Twelve digits must stay a text in YAML."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    return {**site, "account": DoubleQuotedScalarString(str(site["account"]))}


def _report(source: str, lacking: tuple[str, ...], left: tuple[str, ...]) -> str:
    parts = [f"# Migrated from {source}", "", "## To add", ""]
    parts += [f"- {each}" for each in lacking] or ["Nothing."]
    parts += ["", "## Without a counterpart", ""]
    parts += [f"- {each}" for each in left] or ["Nothing."]
    return "\n".join(parts) + "\n"
