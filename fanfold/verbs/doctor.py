"""`fanfold doctor [SITE]`: what is missing here, and what to do about it."""

from __future__ import annotations

import dataclasses
from collections import Counter

import typer

from fanfold.checks import ALL, Check, Outcome, Subject
from fanfold.common import output
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.common.project import core_state, read_site
from fanfold.device.interpreters import device_python
from infra.planning import plan_group

_MARKS = {"ok": "[green]ok[/green]", "warning": "[yellow]warn[/yellow]", "error": "[red]ERR[/red]"}


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    site: str | None = typer.Argument(None, help="Also check what this site needs."),
    as_json: bool = typer.Option(False, "--json", help="All outcomes as one JSON object."),
    warnings_as_errors: bool = typer.Option(False, help="Exit code 1 for a warning too."),
    only: list[str] = typer.Option([], help="Run this check alone; may be repeated."),
) -> None:
    """Check interpreters, libraries, tools, ports, disk, memory, GPUs, clock, certificates, model.

    Each warning or error comes with a fix. Exit code 1 when there is an error.
    Example: fanfold doctor demo
    """
    checks = _chosen(only)
    subject = _subject(site)
    outcomes: list[tuple[Check, Outcome]] = []
    for check in checks:
        with output.working(f"checking {check.__name__.replace('_', ' ')}"):
            outcome = run_check(check, subject)
        outcomes.append((check, outcome))
        if not as_json:
            _show(outcome)
    counts = Counter(outcome.level for _, outcome in outcomes)
    if as_json:
        rows = [{"check": c.__name__, **dataclasses.asdict(o)} for c, o in outcomes]
        output.print_json({"v": 1, "checks": rows})
    else:
        output.out.print(", ".join(f"{n} {level}" for level, n in sorted(counts.items())))
    if counts["error"] or (warnings_as_errors and counts["warning"]):
        raise typer.Exit(FAILED)


def _chosen(names: list[str]) -> list[Check]:
    known = {check.__name__: check for check in ALL}
    if unknown := [name for name in names if name not in known]:
        raise UserError(
            f"doctor: no check is named {unknown[0]!r}; there are {', '.join(known)}", INVALID
        )
    return [known[name] for name in names] or list(ALL)


def run_check(check: Check, subject: Subject) -> Outcome:
    """A check that itself fails is an error with its own name, not the end of the doctor."""
    try:
        return check(subject)
    except Exception as error:  # one broken check must not hide the others
        return Outcome("error", f"check {check.__name__} failed: {error}", "Report it.")


def _subject(site: str | None) -> Subject:
    if site is None:
        return Subject(device_python(), None, None)
    settings, profile = read_site(site)
    return Subject(device_python(), plan_group(settings, profile), core_state(settings.name))


def _show(outcome: Outcome) -> None:
    mark = _MARKS.get(outcome.level, "[dim]skip[/dim]")
    output.out.print(f"{mark:<4}  ", end="")
    output.out.print(outcome.message, markup=False)
    if outcome.fix:
        output.out.print(f"      → {outcome.fix}", markup=False)
