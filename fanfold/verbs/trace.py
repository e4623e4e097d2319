"""`fanfold trace`: where the time of one image went, from publish to cloud."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import typer
from rich.table import Table

from fanfold.common import output
from fanfold.common.arguments import SITE_OPTION
from fanfold.common.errors import MISSING, UserError
from fanfold.localcore import running
from fanfold.localcore.naming import one_or_none, site_and_words

SLOWEST = 10
_BAR_CHARS = 30


def register(app: typer.Typer) -> None:
    app.command("trace")(trace)


def trace(
    words: list[str] | None = typer.Argument(
        None,
        metavar="[SITE] [IMAGE]",
        help="IMAGE: STREAM/SEQ or an image's id; without it the slowest of the last 2,000.",
    ),
    site: str | None = SITE_OPTION,
    as_json: bool = typer.Option(False, "--json", help="The core's own object."),
) -> None:
    """Show the stages of one image with their times; they sum to the total.

    Exit code 3: the core no longer keeps that image.
    Example: fanfold trace demo cam1/41
    """
    site, rest = site_and_words(words or [], site)
    image = one_or_none(rest, "image")
    core = running.find(site)
    if image is None:
        found = core.get("/api/traces")
        _print(found, found["traces"][:SLOWEST], as_json=as_json)
        return
    one = find(core, image)
    _print(one, [one], as_json=as_json)


def find(core: running.RunningCore, image: str) -> dict[str, Any]:
    """The trace of STREAM/SEQ, or of an id; an id may look like STREAM/SEQ too (`m-17/0`)."""
    stream, _, number = image.rpartition("/")
    pages = [f"/api/traces?id={quote(image, safe='')}"]
    if stream and number.isascii() and number.isdigit():
        pages.insert(0, f"/api/trace/{quote(stream, safe='')}/{number}")
    for page in pages:
        answer = core.find(page)
        if answer is not None:  # asked by id, the core answers with a list of one
            return dict(answer["traces"][0] if "traces" in answer else answer)
    raise UserError(
        f"{image}: not among the last 2,000 images of this core. "
        "`fanfold results` shows streams, numbers and ids; name STREAM/SEQ or an id.",
        MISSING,
    )


def _print(answer: dict[str, Any], traces: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        output.print_json({"v": 1, **answer})
        return
    if len(traces) == 1:
        _one(traces[0])
        return
    table = _table("image", "total", "slowest stage", "worker", "id")
    for each in traces:
        worst = max(each["stages"], key=lambda stage: stage["ms"])
        image, total = f"{each['stream']}/{each['seq']}", f"{each['total_ms']:.1f} ms"
        stage = f"{worst['stage']} {worst['ms']:.1f} ms"
        table.add_row(image, total, stage, each["worker"], each["id"])
    output.out.print(table)


def _one(found: dict[str, Any]) -> None:
    head = f"{found['stream']}/{found['seq']}  {found['id']}  {found['status']}"
    output.out.print(f"{head}  {found['worker']}", markup=False)
    table, total = _table("stage", "time", ""), found["total_ms"]
    for stage in found["stages"]:
        share = stage["ms"] / total if total > 0 else 0.0
        bar = "█" * round(max(0.0, min(1.0, share)) * _BAR_CHARS)
        table.add_row(stage["stage"], f"{stage['ms']:.1f} ms", bar)
    table.add_row("total", f"{total:.1f} ms", "")
    output.out.print(table)
    if found["status"] not in {"ok", ""}:
        output.note(f"why it is {found['status']}: fanfold history --status {found['status']}")
    if not found["reached_cloud"]:
        output.note("not sent to the cloud (yet, or none is configured)")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in {"time", "total"} else "left")
    return table
