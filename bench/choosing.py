"""Names on a benchmark's command line: one of those that there are, or one sentence."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable


def names_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    """→ argparse `type` for a list with commas."""
    there = list(known)

    def names(text: str) -> list[str]:
        found = text.split(",")
        if unknown := [name for name in found if name not in there]:
            raise argparse.ArgumentTypeError(
                f"not known: {', '.join(unknown)}; there are {', '.join(there)}"
            )
        return found

    return names
