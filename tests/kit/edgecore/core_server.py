"""Has imported the core and forks for each one: `python core_server.py PATH` (forked_core.py).

Imports are most of what a core of a test computes.
"""

from __future__ import annotations

import importlib
import sys

import fork_server

from edgecore.__main__ import main


def become(path: str) -> list[str]:
    """In each fork: a core's arguments."""
    for used_late in ("edgecore.web.pages", "edgecore.web.uvicorn_server", "h11", "uvicorn"):
        importlib.import_module(used_late)
    wanted = fork_server.serve(path)
    sys.path[0] = wanted["cwd"]
    arguments = fork_server.become(wanted)
    sys.argv = ["edgecore", *arguments]
    return arguments


if __name__ == "__main__":
    fork_server.end(main, become(sys.argv[1]))
