"""Has imported the core and forks for each one: `python core_server.py PATH` (forked_core.py).

Imports are most of what a core of a test computes, and compiling their code most of what the
functions of a fresh one do: here they find what those of the cores before have compiled.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path

import fork_server
from checkout import PROJECT

from edgecore.__main__ import main

BYTE_CODE = PROJECT / "build" / "byte-code"


def become(path: str) -> list[str]:
    """In each fork: a core's arguments."""
    for used_late in ("edgecore.web.pages", "edgecore.web.uvicorn_server", "h11", "uvicorn"):
        importlib.import_module(used_late)
    wanted = fork_server.serve(path)
    sys.path[0] = wanted["cwd"]
    arguments = fork_server.become(wanted)
    sys.argv = ["edgecore", *arguments]
    share_byte_code(Path(arguments[arguments.index("--state") + 1]))
    return arguments


def share_byte_code(state: Path) -> None:
    """A test that makes the folder itself has functions that compile."""
    BYTE_CODE.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / "pycache").symlink_to(BYTE_CODE)


if __name__ == "__main__":
    fork_server.end(main, become(sys.argv[1]))
