"""Two channels: what was asked for goes to stdout, everything about it to stderr."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# rich leaves colours out by itself when a stream is not a terminal, and honours NO_COLOR.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON value on a line of its own: what `--json` prints."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def note(message: str) -> None:
    """A remark for the person, never part of the answer."""
    err.print(message, style="dim", markup=False)


def warn(message: str) -> None:
    err.print(f"warning: {message}", style="yellow", markup=False)


def working(message: str) -> AbstractContextManager[object]:
    """A turning sign on stderr for what has no steps to count; nothing without a terminal."""
    return err.status(message)


def progress() -> Progress:
    """A bar on stderr; nothing at all where stderr is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
    )
