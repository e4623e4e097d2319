"""Two channels: what was asked for goes to stdout, everything about it to stderr."""

from __future__ import annotations

import json
import re
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:  # most verbs show no bar
    from rich.progress import Progress

# What a terminal acts on instead of showing it: C0 but for tab and newline, DEL, C1, and the
# marks that turn the direction of a line.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """``text`` as a terminal may have it: a label, a file name, a message of somebody else."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


def one_line(text: str) -> str:
    """``printable`` without line ends and tabs: a file's name may have them, and would write a
    line of its own among the answers."""
    return printable(text).translate({ord(c): f"\\x{ord(c):02x}" for c in "\n\t\u2028\u2029"})


class _SafeConsole(Console):
    """Strings of anybody come through here before they are styled."""

    def render_str(self, text: str, **more: Any) -> Text:
        return super().render_str(printable(text), **more)


# rich leaves colours out by itself when a stream is not a terminal, and honours NO_COLOR.
out = _SafeConsole(highlight=False, soft_wrap=True)
err = _SafeConsole(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON value on a line of its own: what `--json` prints."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    sys.stdout.write(_CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text) + "\n")
    sys.stdout.flush()


def line(text: str) -> None:
    """A line of the answer, as it is."""
    out.print(text, markup=False)


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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
    )
