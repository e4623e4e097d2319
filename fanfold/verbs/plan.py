"""`fanfold plan SITE`: the group in an operator's words, and why each number is what it is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from fanfold.common import output
from fanfold.common.arguments import SITE_OR_FILE
from fanfold.common.boxes import box_of, names_box, one_box, read_place, show_dealing
from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import read_site
from infra.planning import (
    Estimate,
    Finding,
    Plan,
    Reason,
    check,
    errors,
    estimate,
    explain,
    plan_group,
    render,
)


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)


def plan(
    site: str = SITE_OR_FILE,
    core: str | None = typer.Option(None, help="Of a site with several cores, this one only."),
    why: bool = typer.Option(True, help="Show the reason for each number."),
    document: Path | None = typer.Option(
        None, help="Write the group document here, for `fanfold run --group`; `-` for stdout."
    ),
    as_json: bool = typer.Option(False, "--json", help="Everything as one JSON object."),
) -> None:
    """Show what a site's group will be, why, and what is wrong with it.

    Of a site with several cores: which core takes which camera, and each one's group; in JSON
    one object a line.
    Example: fanfold plan demo
    """
    if document:
        site = one_box(site, core)
    place = None if core or names_box(site) else read_place(site)
    if place and place.dealing and not as_json:
        show_dealing(place.site.name, place.dealing)
    named = [box_of(site, core)] if core else [site]
    read = place.boxes.values() if place else [read_site(each) for each in named]
    plans = [plan_group(*each) for each in read]
    findings = {made.site.name: _findings(made, site) for made in plans}
    for made in plans:
        if document:
            _write(render(made), document)
        elif as_json:
            output.print_json(_as_data(made, findings[made.site.name]))
        else:
            _show(made, findings[made.site.name], why=why)
    said = [
        f"site {name}: {len(wrong)} error(s), see above"
        for name, found in findings.items()
        if (wrong := errors(found))
    ]
    if said:
        raise UserError("; ".join(said), INVALID)


def _findings(made: Plan, site: str) -> list[Finding]:
    """Once a plan is right, what the synthesis of its components would refuse."""
    found = check(made)
    if errors(found) or made.site.target != "v2":
        return found
    from fanfold.cloud.components import component_findings  # a quarter second, and for v2 alone

    return [*found, *component_findings(made, site)]


def _write(group: dict[str, Any], path: Path) -> None:
    text = json.dumps(group, indent=1) + "\n"
    if str(path) == "-":
        typer.echo(text, nl=False)
        return
    path.write_text(text, encoding="utf-8")
    output.note(f"group document written to {path}")


def _as_data(made: Plan, findings: list[Finding]) -> dict[str, Any]:
    return {
        "v": 1,
        "site": made.site.name,
        "group": render(made),
        "reasons": [dataclasses.asdict(reason) for reason in explain(made)],
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "estimate": dataclasses.asdict(estimate(made)),
    }


def _show(made: Plan, findings: list[Finding], *, why: bool) -> None:
    site, profile = made.site, made.profile
    copies = f"{made.copies} {'copy' if made.copies == 1 else 'copies'} of the model"
    output.out.print(
        f"[bold]{site.name}[/bold] on {profile.name}: strategy {site.strategy}, {copies}, "
        f"{len(made.functions)} functions, isolation {made.isolation}"
    )
    output.out.print(_functions(made))
    streams = ", ".join(camera.name for camera in site.cameras)
    output.out.print(
        f"streams {streams} · {len(made.subscriptions)} subscriptions · "
        f"{len(made.resources)} resources · model {site.model.s3_uri or 'not set'}"
    )
    _show_estimate(estimate(made))
    if why:
        output.out.print(_reasons(explain(made)))
    for finding in findings:
        style = {"error": "red", "warning": "yellow"}.get(finding.level, "dim")
        output.err.print(str(finding), style=style, markup=False)


def _functions(made: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("function", "role", "runs on", "threads", "memory", "timeout", "topics in"):
        table.add_column(column, justify="right" if column in {"threads", "memory"} else "left")
    for function in made.functions:
        place = ", ".join(f"GPU {gpu}" for gpu in function.gpus) or "CPU"
        inputs = [s.subject for s in made.subscriptions if s.target == function.arn]
        shown = ", ".join(dict.fromkeys(inputs[:2])) + (" …" if len(set(inputs)) > 2 else "")
        table.add_row(
            function.id,
            function.role,
            place,
            str(function.threads),
            f"{function.memory_kb // 1024} MB",
            f"{function.timeout_s} s",
            shown,
        )
    return table


def _reasons(reasons: list[Reason]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title=None)
    for column in ("number", "value", "because", "from"):
        table.add_column(column)
    for reason in reasons:
        table.add_row(reason.subject, reason.value, reason.why, reason.source)
    return table


def _show_estimate(made: Estimate) -> None:
    rate = f"{made.images_per_s:.0f} images/s" if made.images_per_s else "images/s unknown"
    kept = f", {_size(made.s3_bytes_kept)} once full" if made.s3_bytes_kept else ""
    watched = (
        f"watched by {made.cloudwatch_metrics} metrics, {made.cloudwatch_alarms} alarms and a "
        f"dashboard in CloudWatch ({made.reports_per_day:,} reports a day)"
        if made.cloudwatch_metrics
        else "not watched in CloudWatch"
    )
    output.out.print(
        f"estimate: {rate} (limit: {made.bottleneck}) · {made.images_per_day:,} images a day · "
        f"about {made.usd_per_month:.2f} USD a month for messages and writes to S3\n"
        f"a day: {made.messages_per_day:,} messages to AWS IoT ({made.metered_messages_per_day:,} "
        f"metered) · {made.s3_objects_per_day:,} S3 objects, {_size(made.s3_bytes_per_day)}{kept}\n"
        f"{watched}\n"
        f"[dim]assumes {'; '.join(made.assumptions)}[/dim]"
    )


def _size(size_bytes: float) -> str:
    """In the unit that leaves one to three digits before the point."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.3g} TB"
