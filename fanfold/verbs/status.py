"""`fanfold status`: what the running core is doing."""

from __future__ import annotations

from enum import Enum

import typer
from rich.markup import escape
from rich.table import Table

from contract.status import FunctionStatus, Status, Verdict
from edgecore.core.stats import fetched_cameras
from edgecore.core.verdict import DEGRADED, DOWN, OK, verdict_of
from fanfold.common import output
from fanfold.common.arguments import AWS, RUNNING_SITE
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.localcore import running
from fanfold.localcore.cameras import camera_line
from fanfold.localcore.canaries import canary_line
from fanfold.localcore.draining import picture
from fanfold.localcore.findings import news, report
from fanfold.localcore.samples import samples_line


class Source(str, Enum):
    """Who is asked."""

    core = "core"
    cloud = "cloud"


HEALTHY = {"running", "starting"}
_STYLES = {OK: "green", DEGRADED: "yellow", DOWN: "red"}


def register(app: typer.Typer) -> None:
    app.command("status")(status)


def status(
    site: str | None = RUNNING_SITE,
    as_json: bool = typer.Option(False, "--json", help="The core's own status object."),
    source: Source = typer.Option(
        Source.core, "--from", help="A running core; or what the cloud knows of the site's devices."
    ),
    findings: bool = typer.Option(
        False, "--findings", help="Only what the core found about its machine and group, in full."
    ),
    aws: bool = AWS,
) -> None:
    """Show functions, queues, backlog and cloud of a running core.

    With `--from cloud` (SITE is needed) what is deployed, and with target iot each device's word.
    The verdict is ok, degraded (images are inspected, something is wrong) or down. A finding is
    printed in full by the first status that has it; after that their number is shown.
    Exit code 0: ok; 1: degraded or down; 3: no core runs.
    Example: fanfold status
    """
    if source is Source.cloud:
        if site is None:
            raise UserError("--from cloud: name the site", INVALID)
        from fanfold.cloud.site_status import show_from_cloud

        if not show_from_cloud(site, aws=aws, as_json=as_json):
            raise typer.Exit(FAILED)
        return
    core = running.find(site)
    answer = core.get("/api/status")
    if as_json:
        output.print_json(answer)
    elif findings:
        _list(core, answer["findings"])
    else:
        _show(answer)
        report(core, answer["findings"])
    if verdict_of(answer)["state"] != OK:
        raise typer.Exit(FAILED)


def _show(answer: Status) -> None:
    core, group = answer["core"], answer["group"]
    output.out.print(
        f"[bold]{core['thing']}[/bold] up {core['uptime_s']:.0f} s, pid {core['pid']} · "
        f"group {group['name']} · deployment {group['deployment']}"
    )
    _show_verdict(verdict_of(answer))
    _show_trial(answer)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("function", "state", "gpu", "pid", "restarts", "queue", "done", "errors", "rss"):
        table.add_column(column, justify="left" if column in {"function", "state"} else "right")
    for function in answer["functions"]:
        table.add_row(*_row(function))
    output.out.print(table)
    _show_flow(answer)


def _list(core: running.RunningCore, findings: list[str]) -> None:
    for finding in findings:
        output.line(str(finding))
    if not findings:
        output.note("no findings")
    news(core, findings)


def _show_verdict(verdict: Verdict) -> None:
    """The core's own words, which the page and /ready have too."""
    state = verdict["state"]
    output.out.print(f"[bold {_STYLES[state]}]{state}[/]", highlight=False)
    for reason in verdict["reasons"]:
        style = _STYLES[reason["level"]]
        subject, problem, remedy = (
            escape(reason["subject"]),
            escape(reason["problem"]),
            escape(reason["remedy"]),
        )
        output.out.print(f"  [{style}]{subject}[/] {problem}\n    [dim]{remedy}[/]")


def _show_trial(answer: Status) -> None:
    """What a new deployment still has to show."""
    if (trial := answer["group"].get("trial")) is not None:
        output.out.print(
            f"trial: {trial['answered'] + trial['failed']} of the first {trial['images']} "
            f"images, {trial['failed']} failed (limit {trial['max_failed']:.0%})"
        )
    if (report := answer.get("canary")) is not None and report["state"] != "passed":
        output.out.print(canary_line(report), markup=False, highlight=False)


def _row(function: FunctionStatus) -> list[str]:
    state = function["state"]
    style = "green" if state in HEALTHY else "red"
    return [
        function["id"],
        f"[{style}]{state}[/{style}]",
        _gpu(function),
        str(function.get("pid") or "–"),
        str(function["restarts"]),
        str(function["queue"]),
        str(function["invocations"]),
        str(function["errors"]),
        f"{(function.get('rss_kb') or 0) // 1024} MB",
    ]


def _gpu(function: FunctionStatus) -> str:
    """`1 GPU-5e9f1c2a`: the index that was planned and the card that the worker found there."""
    index = function.get("gpu_id")
    found = function.get("accelerators") or []
    if index is None and not found:
        return "–"
    shown = [f"{each.get('gpu_id')} {str(each.get('uuid') or '')[:12]}".strip() for each in found]
    unsure = any(each.get("verified") is False for each in found)
    return (", ".join(shown) or str(index)) + (" (not verified)" if unsure else "")


def _show_flow(answer: Status) -> None:
    router, sink = answer["router"], answer["cloud"]
    splitter = answer["stats"].get("splitter") or {}
    aggregator = answer["stats"].get("aggregator") or {}
    if splitter:
        output.out.print(
            f"images: {splitter.get('accepted', 0)} accepted, "
            f"{splitter.get('backlog', 0)} waiting, "
            f"{splitter.get('inflight', 0)} in flight, {aggregator.get('emitted', 0)} emitted, "
            f"{aggregator.get('failed', 0)} failed, {aggregator.get('gaps', 0)} gaps"
        )
    for camera in fetched_cameras(answer):
        output.out.print(camera_line(camera), markup=False, highlight=False)
    if line := samples_line(answer):
        output.out.print(line, markup=False, highlight=False)
    reported = picture(answer)
    if names := " ".join(w.name for w in reported.workers if w.drained) if reported else "":
        output.out.print(f"drained: {names} (resume: fanfold drain {names} --resume)")
    output.out.print(
        f"core queue: {router['work_items']} of {router['limit']} work items, "
        f"{router['refused']} refused · cloud ({sink['sink']}): {sink['sent']} sent, "
        f"{sink['spooled']} waiting, {sink['dropped']} dropped"
    )
