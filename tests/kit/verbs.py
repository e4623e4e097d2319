"""`fanfold VERB …` in a process of its own, forked from one that has imported all of them.

For tests whose claim is not how the command line starts: tests/fanfold/test_start.py and
test_terminal.py, the guides and the wheel's test run it from the first line.
"""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from checkout import PROJECT
from forked import fork, start_server
from forked_core import core_server, may_fork


def run_verb(
    *arguments: str, cwd: Path, env: Mapping[str, str], timeout: float = 300.0, forks: bool = True
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run([python, "-m", "fanfold.main", …], capture_output=True)` would give.

    ``forks``: so may the core be that it starts.
    """
    cores = core_server() if forks and arguments[0] == "run" and may_fork(env) else ""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        with open(os.devnull, "rb") as nothing, out.open("wb") as o, err.open("wb") as e:  # noqa: PTH123
            descriptors = [nothing.fileno(), o.fileno(), e.fileno()]
            verb = fork(
                _server(), arguments, cwd=cwd, env=env, descriptors=descriptors, cores=cores
            )
        try:
            code = verb.wait(timeout)
        except subprocess.TimeoutExpired:
            verb.kill()
            verb.wait()
            raise subprocess.TimeoutExpired(list(arguments), timeout, out.read_text()) from None
        return subprocess.CompletedProcess(
            ["fanfold", *arguments], code, out.read_text(), err.read_text()
        )


@functools.cache
def _server() -> str:
    """Its address; it ends with this process."""
    return start_server(PROJECT / "tests/kit/verb_server.py", NO_COLOR="1")
