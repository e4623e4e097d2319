"""A process that has imported every verb and forks for each command: `python verb_server.py PATH`.

Starting an interpreter and importing is most of what a verb computes. A fork has neither, and is
otherwise a process of its own: working folder, environment, output, exit code (tests/kit/verbs.py).
"""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import fork_server
from forked import Forked
from forked_core import fork_core

from fanfold.main import VERBS, main


def become(path: str) -> list[str]:
    """In each fork: a verb and its arguments."""
    for verb in VERBS:
        importlib.import_module(f"fanfold.verbs.{verb}")
    for used_late in ("infra.planning", "boto3", "cryptography.x509"):
        importlib.import_module(used_late)
    _read_descriptions()
    wanted = fork_server.serve(path)
    arguments = fork_server.become(wanted)
    if wanted["cores"]:
        _fork_cores(wanted["cores"])
    sys.argv = ["fanfold", *arguments]
    return arguments


def _read_descriptions() -> None:
    """What botocore knows of the APIs that most verbs ask: each fork would parse it anew."""
    from botocore import session

    session.create_loader = functools.cache(session.create_loader)
    with_keys = session.Session()
    with_keys.set_credentials("none", "none")
    for service in ("cloudformation", "greengrass", "iot", "lambda", "s3"):
        with_keys.create_client(service, region_name="us-east-1")


def _fork_cores(server: str) -> None:
    """The core that the verb starts is a fork too, of the process at that address."""
    from fanfold.localcore import starting

    def popen(
        command: list[str], *, env: dict[str, str], stdout: IO[bytes], pass_fds: Sequence[int],
        **_: object,
    ) -> Forked:  # fmt: skip
        return fork_core(
            command, server, stdout=stdout, cwd=Path.cwd(), env=env, session=True, pass_fds=pass_fds
        )

    vars(starting)["subprocess"] = SimpleNamespace(Popen=popen, DEVNULL=subprocess.DEVNULL)


if __name__ == "__main__":
    fork_server.end(main, become(sys.argv[1]))
