"""`fanfold audit`: who did what on a core, from where, and what came of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from edgecore.history.text import visible
from edgecore.people.audit import FILES, REFUSED
from fanfold.common import output
from fanfold.common.arguments import ONLY_SITE, STATE_FOLDER
from fanfold.localcore.people import people_of

_STYLES = {"done": "green", "failed": "yellow", "refused": "red"}


def register(app: typer.Typer) -> None:
    app.command("audit")(audit)


def audit(
    site: str | None = ONLY_SITE,
    count: int = typer.Option(50, "--count", "-n", min=1, help="Newest acts at most."),
    refused: bool = typer.Option(False, "--refused", help="Only what was refused."),
    state: Path | None = STATE_FOLDER,
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line."),
) -> None:
    """Show who did what: acts on the page, by programs and by this command line; the newest first.

    It is read from the core's state directory, so it is there while the core is stopped.
    Example: fanfold audit demo --refused
    """
    at = people_of(site, state)
    shown = at.look(lambda: at.audit.newest(count, [REFUSED] if refused else FILES))
    if as_json:
        for act in shown:
            output.print_json(act)
        return
    if not shown:
        output.note("nothing was done yet")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("time", "who", "role", "from", "what", "result", ""):
        # Which act, by whom and on what is the whole point: a cell is broken, and never cut.
        table.add_column(column, overflow="fold")
    for act in shown:
        table.add_row(*_row(act))
    output.out.print(table)


def _row(act: dict[str, Any]) -> list[Text]:
    detail = act.get("detail") or {}
    about = " ".join(f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in detail.items())
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(act["t"]))
    result = str(act.get("result", ""))
    cells = [when, act.get("who") or "–", act.get("role") or "–", act.get("from", ""),
        act.get("what", "")]  # fmt: skip
    said = act.get("said", "") if result != "done" else ""
    return [
        *(Text(visible(str(cell))) for cell in cells),
        Text(result, style=_STYLES.get(result, "")),
        Text(visible(" ".join(filter(None, (about, said))))),
    ]
