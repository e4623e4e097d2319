"""A pool's process whose parent is gone: nobody asks for its results, so it says nothing."""

import os
import subprocess
import sys
from pathlib import Path

SENDS = """
from lambdas.common.pipes import Answers
from lambdas.pool.child import PipeBus
bus = PipeBus(Answers())
input()
bus.publish("done", b"{}")
print("it went on")
"""


def test_it_ends_in_silence_when_it_has_nobody_to_tell():
    read, write = os.pipe()
    root = Path(__file__).resolve().parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", SENDS], stdin=subprocess.PIPE, stdout=write,
        stderr=subprocess.PIPE, cwd=str(root),
    )  # fmt: skip
    os.close(write)
    os.close(read)

    _, said = child.communicate(b"\n", timeout=60)

    assert (child.returncode, said) == (0, b"")
