"""What a function does at SIGTERM: memory in /dev/shm goes back."""

import signal
import subprocess
import sys

import pytest

FUNCTION = """
import os, signal, sys
from lambdas.tensors.cleanup import remove_at_the_end

if sys.argv[2] == "runtime":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
remove_at_the_end(sys.argv[1])
print("loads its model", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.parametrize(("runtime", "status"), [("none", 0), ("runtime", 7)])
def test_a_function_stopped_while_it_loads_removes_what_a_killed_incarnation_left(
    tmp_path, runtime, status
):
    left = tmp_path / "w0.lease"
    left.write_bytes(b"of an incarnation that was killed")
    command = [sys.executable, "-c", FUNCTION, str(left), runtime]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as function:
        assert function.stdout.readline() == b"loads its model\n"
        assert left.exists()
        function.send_signal(signal.SIGTERM)
        assert function.wait(20) == status
    assert not left.exists()
