"""A benchmark's command line: what all have, and names of which there are only some."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from fanfold.common.project import PROJECT


def command_line(module: str, text: str | None) -> argparse.ArgumentParser:
    """`text`: the module's own; its lines stay as they are."""
    return argparse.ArgumentParser(
        module, description=text, formatter_class=argparse.RawTextHelpFormatter
    )


def add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=PROJECT / "build", help="on which disk")


def names_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    """→ argparse `type` for a list with commas; an unknown name is refused in one sentence."""
    there = list(known)

    def names(text: str) -> list[str]:
        found = text.split(",")
        if unknown := [name for name in found if name not in there]:
            raise argparse.ArgumentTypeError(
                f"not known: {', '.join(unknown)}; there are {', '.join(there)}"
            )
        return found

    return names
