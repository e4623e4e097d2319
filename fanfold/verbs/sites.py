"""`fanfold sites`: all sites, what each one last said to the cloud, as a list or a page."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from edgecore.core.verdict import DEGRADED, DOWN, OK
from fanfold.cloud.development import running_cloud
from fanfold.common import output
from fanfold.common.arguments import AWS
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.fleet.page import REFRESH_S, data_of, page
from fanfold.fleet.reading import Fleet
from fanfold.fleet.row import NOT_DEPLOYED, SILENT, UNKNOWN, ago
from fanfold.rollout.plan import sites_of

HOUR_S = 3600.0
_STYLES = {
    OK: "green", DEGRADED: "yellow", DOWN: "red", SILENT: "red", UNKNOWN: "magenta",
    NOT_DEPLOYED: "dim",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command("sites")(sites)


def sites(
    pattern: str = typer.Argument("*", help="Sites by name, with * and ?; quote it: 'line-*'."),
    into: Path | None = typer.Option(None, "--page", help="Write the fleet page to this file."),
    serve: bool = typer.Option(False, "--serve", help="Serve the page on 127.0.0.1 until ctrl-C."),
    port: int = typer.Option(8090, min=0, max=65535, help="Of --serve; 0: any that is free."),
    since_h: float = typer.Option(
        24.0, min=0.25, max=720, help="How far back a silent site's last word is looked for."
    ),
    aws: bool = AWS,
    as_json: bool = typer.Option(False, "--json", help="One JSON object."),
) -> None:
    """Show every site of the folder: verdict, version, model, last word, last result, drift.

    By the health reports and deployments that the cloud has, so no device is asked. A site that
    has missed three reports is silent, never ok. Drift: what `fanfold diff SITE` would list.
    Exit code 0: every site is ok; 1: one or more are not.
    Example: fanfold sites 'line-*' --page fleet.html
    """
    if into and serve:
        raise UserError("--page and --serve: give one of them", INVALID)
    fleet = Fleet.of(sites_of(pattern), look_back_s=since_h * HOUR_S, aws=aws)
    cloud = None if aws else running_cloud()
    where = "the development cloud" if cloud else "AWS"
    if serve:
        _serve(fleet, where, port)
        return
    with output.working("reading what the cloud knows"):
        data = data_of(fleet.read(), time.time(), where)
    if into:
        _write(into, page(data))
    if as_json:
        output.print_json(data)
    elif not into:
        _show(data)
    if any(site["verdict"] != OK for site in data["sites"]):
        raise typer.Exit(FAILED)


def _serve(fleet: Fleet, where: str, port: int) -> None:
    from fanfold.fleet.serving import HOST, serve

    def announce(port: int) -> None:
        output.note(f"the fleet page: http://{HOST}:{port}/ (ctrl-C ends it)")

    try:
        serve(lambda: data_of(fleet.read(), time.time(), where, REFRESH_S), port, announce)
    except OSError as error:
        raise UserError(
            f"port {port}: {error.strerror}. Pass another with --port, or --port 0", INVALID
        ) from error


def _write(into: Path, text: str) -> None:
    try:
        into.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--page {into}: {error.strerror}", INVALID) from error
    output.note(f"written: {into}. It is of now; `--serve` keeps it up to date")


def _show(data: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("site", "verdict", "last word", "last result", "images", "version", "model",
                   "drift"):  # fmt: skip
        table.add_column(column)
    for site in data["sites"]:
        table.add_row(*_cells(site, data["read_at"]))
    output.out.print(table)
    for site in data["sites"]:
        for why in site["reasons"]:
            name = escape(" ".join(filter(None, (site["site"], why["core"]))))
            subject, problem = escape(why["subject"]), escape(why["problem"])
            output.out.print(f"  {name}: [{_STYLES[why['level']]}]{subject}[/] {problem}")
        for change in site["drift"] or ():
            output.line(f"  {site['site']}: drift: {change}")
    output.note(summary(data))


def summary(data: dict[str, Any]) -> str:
    """How many sites there are of each verdict, read where and when."""
    counts = {v: sum(s["verdict"] == v for s in data["sites"]) for v in _STYLES}
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    moment = datetime.fromtimestamp(data["read_at"]).strftime("%H:%M:%S")
    number = len(data["sites"])
    known = "1 site" if number == 1 else f"{number} sites"
    return f"{known}: {said} (from {data['where']}, {moment})"


def _cells(site: dict[str, Any], now: float) -> list[str]:
    word, result = site["last_word_at"], site["last_result_at"]
    images = f"{site['images']} in 15 min" if site["images"] else "–"
    if site["failed"]:
        images += f", {site['failed']} failed"
    drift = site["drift"]
    style = _STYLES[site["verdict"]]
    return [
        escape(site["site"]),
        f"[{style}]{site['verdict']}[/{style}]",
        f"{ago(now - word)} ago" if word else "–",
        f"{ago(now - result)} ago" if result else "–",
        images,
        escape(site["version"] or "–"),
        escape(site["model"] or "–"),
        "not compared" if drift is None else str(len(drift)) if drift else "none",
    ]
