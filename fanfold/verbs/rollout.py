"""`fanfold rollout PATTERN --model URI`: a model to many sites, in waves with a health gate."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path

import typer
from rich.table import Table

from fanfold.cloud.model_age import OPTION
from fanfold.cloud.words import short_model
from fanfold.common import output
from fanfold.common.arguments import AWS
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.common.project import profiles, site_file, state_dir
from fanfold.rollout.health import REPORTS_MISSED
from fanfold.rollout.held import held
from fanfold.rollout.plan import Plan, make_plan, sites_of, targets_of
from fanfold.rollout.record import Record, is_done, set_aside_if_done, who
from fanfold.rollout.run import Run, Settings
from fanfold.rollout.sites import Target
from fanfold.rollout.state import LEFT, Ended, Rollout, Stand, decide
from fanfold.rollout.under_way import record_path, without_gone
from fanfold.rollout.waves import SHARES
from fanfold.rollout.ways import Verbs
from fanfold.tune.write import write_values


def register(app: typer.Typer) -> None:
    app.command("rollout")(rollout)


def rollout(
    pattern: str = typer.Argument(help="Sites by name, with * and ?; quote it: 'line-*'."),
    model: str = typer.Option(help="S3 URI of the model package that they are to run."),
    plan_only: bool = typer.Option(False, "--plan", help="Print the plan and stop."),
    canary: str | None = typer.Option(None, help="The first site; else the first by name."),
    shares: str = typer.Option(
        ",".join(map(str, SHARES)), help="Per cent of the sites that have it after each wave."
    ),
    without: list[str] = typer.Option([], help="Leave this site out; may be repeated."),
    at_once: int = typer.Option(4, min=1, max=64, help="Sites of a wave deployed at once."),
    wait_s: int = typer.Option(120, min=0, help="How long a site's device may take to answer."),
    watch_s: float | None = typer.Option(
        None, min=0, help="How long a wave is watched; else three reports of its slowest site."
    ),
    failed_percent: float = typer.Option(
        1.0, min=0, max=100, help="Percentage points that more images may fail than before."
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on after a stop, or with who was off."),
    write: bool = typer.Option(False, "--write", help="Put the URI into the files of the sites."),
    allow_older_model: bool = typer.Option(False, OPTION, help="Also where that is older."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    aws: bool = AWS,
    as_json: bool = typer.Option(False, "--json", help="One JSON object at the end."),
) -> None:
    """Bring a model to many sites: a canary site, then growing shares, each wave judged.

    A wave is judged by its deployments and by the health reports that the cloud has of it. The
    first bad site stops the rollout and takes its wave back; sites that are switched off do not.
    Stop it at any moment: the same command goes on. Exit code 1: stopped.
    Example: fanfold rollout 'line-*' --model s3://bucket/models/lite0/1.1.0.tar.gz --plan
    """
    names, shown = sites_of(pattern, without), _shares(shares)
    known = sites_of("*")
    path = record_path(state_dir() / "rollouts", model, sites_of(pattern), known)
    done = not resume and is_done(path)
    if done or (plan_only and not path.exists()):
        plan = make_plan(model, targets_of(names, model, aws=aws), canary, shown)
        if plan_only or not plan.waves:  # a record that is done stays for --resume: who was away
            _show(plan, at_once, as_json=as_json)
            return
        set_aside_if_done(path)
    with closing(Record(path)) as record, ExitStack() as locks:
        gone = without_gone(record.state, known) if record.state else []
        mine = [site for site in record.state.stands if site in known] if record.state else names
        targets = targets_of(mine, model, aws=aws)
        if not plan_only:
            locks.enter_context(held(targets, path.parent / "sites"))
        if gone and not plan_only:
            record.add("gone", sites=gone)
            output.note(f"left out, as they have no file any more: {', '.join(gone)}")
        if record.state is None:
            plan = make_plan(model, targets, canary, shown)
            _show(plan, at_once, as_json=as_json and plan_only)
            if plan_only or not plan.waves:
                return
            _ask(yes=yes, what=f"Deploy to {sum(map(len, plan.waves))} sites?")
            record.begin(model, plan.waves, plan.before)
        elif not _goes_on(record, resume=resume, without=without, only_show=plan_only):
            _end(record, as_json=as_json)
            return
        settings = Settings(model, at_once, _watch_s(watch_s, targets), failed_percent)
        ways = Verbs(path.with_suffix(""), wait_s, aws, allow_older_model)
        state = Run(record, targets, ways, settings, output.note).go()
        if write:
            _write(state, targets, model)
        _end(record, as_json=as_json)


def _shares(text: str) -> list[int]:
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        raise UserError(f"--shares {text}: give whole per cents, e.g. 10,30,100", INVALID) from None


def _watch_s(asked: float | None, targets: dict[str, Target]) -> float:
    every_s = max((t.report_every_s or 0 for t in targets.values()), default=0)
    least_s = float(REPORTS_MISSED * every_s)
    if asked is not None and asked < least_s:
        output.warn(
            f"--watch-s {asked:g}: three reports take {least_s:g} s; a site that is slow to "
            "report counts as silent"
        )
    return least_s if asked is None else asked


def _goes_on(record: Record, *, resume: bool, without: list[str], only_show: bool) -> bool:
    """Whether a rollout that is known has anything left to do now."""
    state = record.known
    ended = isinstance(decide(state), Ended)
    left = [site for site, stand in state.stands.items() if stand in LEFT]
    if only_show:
        return False
    if not ended:
        output.note(f"going on with the rollout of {record.path}")
        return True
    if not resume or not (left or state.stopped):
        return False
    record.add("resumed", by=who(), without=without)
    return True


def _ask(*, yes: bool, what: str) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("nothing was changed: no terminal to ask on. Pass --yes to begin.", INVALID)
    typer.confirm(what, abort=True, err=True)


def _show(plan: Plan, at_once: int, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"v": 1, **plan.as_json()})
        return
    told = sum(map(len, plan.waves))
    output.out.print(
        f"{short_model(plan.model)} to {told} of {len(plan.targets)} sites in {len(plan.waves)} "
        f"waves, {at_once} sites at once",
        markup=False,
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("wave", "site", "by", "runs now", "judged by"):
        table.add_column(column)
    for row in plan.rows():
        table.add_row(*row)
    if told:
        output.out.print(table)
    if plan.unchanged:
        output.out.print(f"run it already: {', '.join(plan.unchanged)}", markup=False)


def _write(state: Rollout, targets: dict[str, Target], model: str) -> None:
    for site, stand in state.stands.items():
        if site in targets and stand in (Stand.HEALTHY, Stand.AWAY):
            write_values(site_file(targets[site].file), {"model.s3_uri": model}, profiles())


def _end(record: Record, *, as_json: bool) -> None:
    """Says how it stands; exit code 1 where it was stopped."""
    state, path = record.known, record.path
    if as_json:
        sites = {s: {"stand": stand.value, "why": state.why.get(s, "")}
                 for s, stand in state.stands.items()}  # fmt: skip
        told = {"v": 1, "model": record.begun["model"], "waves": state.waves, "sites": sites}
        output.print_json({**told, "stopped": state.stopped or None, "record": str(path)})
    else:
        _print_result(state, path)
    if state.stopped:
        raise typer.Exit(FAILED)


def _print_result(state: Rollout, path: Path) -> None:
    by_stand: dict[Stand, list[str]] = {}
    for site, stand in state.stands.items():
        by_stand.setdefault(stand, []).append(site)
    for stand, sites in by_stand.items():
        output.out.print(f"{stand.value:<15} {len(sites):>3}  {', '.join(sites)}", markup=False)
    output.note(f"record: {path}")
    if state.stopped:
        output.err.print(f"stopped: {state.stopped}", style="red", markup=False)
        output.note("the same command with --resume goes on with what is left; --without SITE")
    elif Stand.AWAY in by_stand:
        output.note("away: they take it when they return; --resume judges them then")
