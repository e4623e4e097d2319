"""`fanfold logs FUNCTION`: what a function printed."""

from __future__ import annotations

import collections
import time
from pathlib import Path

import typer

from fanfold import running
from fanfold.errors import INVALID, UserError


def register(app: typer.Typer) -> None:
    app.command("logs")(logs)


def logs(
    function: str = typer.Argument(
        help="A function's id, as `fanfold status` shows it, or `core`."
    ),
    site: str | None = typer.Option(None, help="Only needed when several cores run here."),
    lines: int = typer.Option(50, "--lines", "-n", help="How many lines from the end."),
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on with what comes."),
) -> None:
    """Print the log of one function of a running core.

    Example: fanfold logs w0 --follow
    """
    folder = running.find(site).state / "logs"
    path = folder / f"{function}.log"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.log"))) or "none"
        raise UserError(f"no log of {function!r} in {folder}; there are: {known}.", INVALID)
    with path.open(encoding="utf-8", errors="replace") as log:
        for line in collections.deque(log, maxlen=lines):
            typer.echo(line, nl=False)
    if follow:
        _follow(path)


def _follow(path: Path) -> None:
    """Until interrupted; a rotated file is followed under its new inode."""
    log = path.open(encoding="utf-8", errors="replace")
    log.seek(0, 2)
    while True:
        line = log.readline()
        if line:
            typer.echo(line, nl=False)
            continue
        time.sleep(0.2)
        if path.exists() and path.stat().st_ino != log_inode(log.fileno()):
            log.close()
            log = path.open(encoding="utf-8", errors="replace")


def log_inode(descriptor: int) -> int:
    import os

    return os.fstat(descriptor).st_ino
