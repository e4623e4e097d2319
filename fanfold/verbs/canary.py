"""`fanfold canary`: how a new model compares with the one that serves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer
from rich.table import Table

from contract.status import CanaryStatus
from edgecore.history.text import visible
from fanfold.common import output
from fanfold.common.arguments import RUNNING_SITE
from fanfold.common.errors import FAILED, MISSING, UserError
from fanfold.localcore import running
from fanfold.localcore.canaries import canary_line

_WORST_SHOWN = 5


def register(app: typer.Typer) -> None:
    app.command("canary")(canary)


def canary(
    site: str | None = RUNNING_SITE,
    as_json: bool = typer.Option(False, "--json", help="The whole report, as one JSON object."),
) -> None:
    """Show what the last canary of a core found: agreement, speed, the worst disagreements.

    A site's `canary` lets a new model answer copies of live images before it replaces the old.
    Exit code 0: passed or under way; 1: refused or ended; 3: there was none.
    Example: fanfold canary demo
    """
    core = running.find(site)
    report: CanaryStatus | None = core.get("/api/status").get("canary")
    if report is None:
        raise UserError(
            "this core has compared no model: add `canary: {}` to the site file, and deploy "
            "another model",
            MISSING,
        )
    report = {**report, "worst": _worst(core)}
    if as_json:
        output.print_json(report)
    else:
        _show(report)
    if report["state"] in ("refused", "ended"):
        raise typer.Exit(FAILED)


def _worst(core: running.RunningCore) -> list[Mapping[str, Any]]:
    """From the report's file: too much for a status that is asked for every second."""
    try:
        kept = json.loads((core.state / "canary" / "report.json").read_text(encoding="utf-8"))
        return list(kept["worst"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _show(report: CanaryStatus) -> None:
    output.out.print(canary_line(report), markup=False, highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for task, row in report["agreement"].items():
        table.add_row(visible(task), f"{row['agreed']} of {row['images']} agree")
    if (speed := report["inference_ms"]) is not None:
        for name in ("median", "p99"):
            table.add_row(
                f"inference, {name}",
                f"{speed['new'][name]:.1f} ms, was {speed['old'][name]:.1f} ms",
            )
    drift = report["score_drift"]
    if drift["count"]:
        table.add_row("score drift, mean", f"{drift['mean']:+.3f}")
    for name in ("failed", "improved", "not_comparable", "deaths"):
        if count := report[name]:  # type: ignore[literal-required]
            table.add_row(name.replace("_", " "), str(count))
    for flip in report["flips"][:_WORST_SHOWN]:
        table.add_row(f"{visible(str(flip['old']))} → {visible(str(flip['new']))}",
            f"{flip['count']} times")  # fmt: skip
    for each in report["worst"][:_WORST_SHOWN]:
        table.add_row("worst", visible(f"{each['stream']} {each['seq']} {each['file']}"))
    output.out.print(table)
