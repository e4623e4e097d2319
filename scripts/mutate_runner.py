# ruff: noqa: T201
"""Runs the same tests again and again, each time in a fork of a warm pytest (for mutate.py).

Reads one JSON line per run, `{"text": …, "limit_s": …}`, writes `text` as the module and
answers with one line: `passed`, `failed` or `too long`. Python 3.8, like the device's tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import hypothesis
import pytest


def main() -> None:
    module, arguments = Path(sys.argv[1]), sys.argv[2:]
    # A failing example is a failing example: making it small is a third of a run's time.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutate", phases=phases)
    hypothesis.settings.load_profile("mutate")
    for line in sys.stdin:
        run = json.loads(line)
        module.write_text(run["text"], encoding="utf-8")
        print(_verdict(arguments, run["limit_s"]), flush=True)


def _verdict(arguments: list[str], limit_s: float) -> str:
    child = os.fork()
    if child == 0:
        _test(arguments)
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            # Whatever a mutant's tests left running.
            _kill_group(child)
            return "passed" if status == 0 else "failed"
        time.sleep(0.02)
    _kill_group(child)
    os.waitpid(child, 0)
    return "too long"


def _test(arguments: list[str]) -> None:
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    # Byte code is found by its source's time and size, and mutants come faster than that.
    sys.dont_write_bytecode = True
    code = 1
    try:
        code = int(pytest.main(arguments))
    finally:
        os._exit(code)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
