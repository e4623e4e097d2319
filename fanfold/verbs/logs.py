"""`fanfold logs [FUNCTION]`: what functions and the core logged."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import typer

from edgecore.disk.logs import Tail, last_lines, names
from fanfold.common import output
from fanfold.common.arguments import SITE_OPTION
from fanfold.common.errors import INVALID, UserError
from fanfold.localcore import running
from fanfold.localcore.naming import one_or_none, site_and_words

STEP_S = 0.2
_STYLES = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow", "DEBUG": "dim"}
#: Of a line's keys what is not shown behind its message.
_HEAD = {"t", "level", "logger", "message", "traceback", "function"}


def register(app: typer.Typer) -> None:
    app.command("logs")(logs)


def logs(
    words: list[str] | None = typer.Argument(
        None,
        metavar="[SITE] [FUNCTION]",
        help="FUNCTION: its id, as `fanfold status` shows it, or `core`. Without: all of them.",
    ),
    site: str | None = SITE_OPTION,
    lines: int = typer.Option(50, "--lines", "-n", min=0, help="Number of lines from the end."),
    follow: bool = typer.Option(False, "--follow", "-f", help="Keep following new lines."),
    image: str | None = typer.Option(None, help="Only lines about this image: its id."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line."),
) -> None:
    """Print the log of one function of a running core, or of all in order of time.

    Example: fanfold logs demo w0 --follow
    """
    site, rest = site_and_words(words or [], site)
    function = one_or_none(rest, "function")
    folder = running.state_of(site) / "logs"
    chosen = _chosen(folder, function)
    tails = {name: Tail(folder / f"{name}.log") for name in chosen} if follow else {}
    found = [entry for name in chosen for entry in _last(folder, name, lines)]
    for _, entry in sorted(found, key=lambda timed: timed[0])[-lines:] if lines else ():
        _show(entry, image, alone=function is not None, as_json=as_json)
    while tails:
        time.sleep(STEP_S)
        for name, tail in tails.items():
            for line in tail.lines():
                entry = _parsed(name, line)
                _show(entry, image, alone=function is not None, as_json=as_json)


def _chosen(folder: Path, function: str | None) -> list[str]:
    known = names(folder)
    if function is None:
        return known
    if function not in known:
        there = ", ".join(known) or "none"
        raise UserError(f"no log of {function!r} in {folder}; logs: {there}.", INVALID)
    return [function]


def _last(folder: Path, name: str, count: int) -> list[tuple[float, dict[str, Any]]]:
    """Each with its time; text without one stays behind the line before it."""
    t, found = 0.0, []
    for line in last_lines(folder / f"{name}.log", count) if count else ():
        entry = _parsed(name, line)
        t = entry.get("t", t)
        found.append((t, entry))
    return found


def _parsed(function: str, line: str) -> dict[str, Any]:
    """The line's object; somebody else's text becomes a message without a time."""
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or not isinstance(entry.get("t"), int | float):
        entry = {"message": line}
    return {"function": function, **entry}


def _show(entry: dict[str, Any], image: str | None, *, alone: bool, as_json: bool) -> None:
    if image is not None and image not in (entry.get("image"), _numbered(entry)):
        return
    if as_json:
        output.print_json(entry)
        return
    words = "" if alone else f"{entry['function']:<11} "
    if "t" in entry:
        at = dt.datetime.fromtimestamp(entry["t"]).astimezone()
        words += f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} {entry.get('level', ''):<8}"
    words += str(entry.get("message", ""))
    more = "  ".join(f"{k}={v}" for k, v in entry.items() if k not in _HEAD)
    if more:
        words += f"  [{more}]"
    if "traceback" in entry:
        words += f"\n{entry['traceback']}"
    output.out.print(words, style=_STYLES.get(str(entry.get("level"))), markup=False)


def _numbered(entry: dict[str, Any]) -> str:
    return f"{entry.get('stream')}/{entry.get('seq')}"
