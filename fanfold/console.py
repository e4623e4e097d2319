"""Where words go: results to stdout, everything else to stderr. Colour only on a terminal."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.markup import escape

from fanfold.errors import CliError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def emit_json(value: Any) -> None:
    """One JSON document on stdout, never coloured or wrapped."""
    print(json.dumps(value, ensure_ascii=False, default=str))


def note(message: str) -> None:
    """Progress and advice: stderr, so that stdout can be piped."""
    err.print(f"[dim]{escape(message)}[/dim]")


def complain(error: CliError) -> None:
    err.print(f"[bold red]error:[/bold red] {escape(error.message)}")
    if error.remedy:
        err.print(f"[bold]fix:[/bold] {escape(error.remedy)}")
