"""This checkout's code and another's, in turns within one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

NOW, AGAINST = "now", "against"
Row = dict[str, Any]


def elsewhere(checkout: Path, module: str, arguments: Sequence[str]) -> Row:
    """One round of a bench by another checkout's code, with this one's benchmark: its only row."""
    command = [sys.executable, "-m", module, "--rounds", "1", "--json", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: Row = json.loads(done.stdout.splitlines()[-1])[0]
    return found


def in_turns(
    round_: int, here: Callable[[], Row], there: Callable[[], Row] | None
) -> Iterator[tuple[str, Row]]:
    """(which code, row) of one round; who begins changes with each. `there` None: alone."""
    sides = [(NOW, here)] if there is None else [(NOW, here), (AGAINST, there)]
    for side, measure in sides if round_ % 2 == 0 else reversed(sides):
        yield side, measure()
