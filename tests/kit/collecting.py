"""Processes of one run collect the same tests: the first of them alone, the others after it.

From a fresh checkout each would otherwise compile every module and rewrite every test's assertions
beside the others, which do the same: seconds of CPU a process, for byte code that one of them can
make for all.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TURNS = "fanfold_turns"  # in what the run's first process gives to its others


def give_turns(node: Any) -> None:
    """To a process that is about to start: the file whose lock is its turn."""
    folder = tempfile.gettempdir()
    node.workerinput[TURNS] = f"{folder}/fanfold-turns-{node.workerinput['testrunuid']}"


def take_back_turns(node: Any) -> None:
    Path(node.workerinput[TURNS]).unlink(missing_ok=True)


@contextlib.contextmanager
def in_turn(config: Any) -> Iterator[None]:
    """Whoever comes first collects within its lock, and writes that it has; others go on then, at
    once and beside one another. A process that ends has no lock any more: the next one is first."""
    given = getattr(config, "workerinput", {}).get(TURNS)
    if given is None:
        yield
        return
    turns = os.open(given, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(turns, fcntl.LOCK_EX)
        if os.fstat(turns).st_size:
            fcntl.flock(turns, fcntl.LOCK_UN)
        yield
        os.write(turns, b"collected")
    finally:
        os.close(turns)
