"""What is free in the heap is the machine's again, also under the planner's settings."""

import os
import subprocess
import sys

from lambdas.common import allocator

# A worker's own (infra/planning/threads.py): what is freed is kept.
KEPT = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "30000000"}
PROGRAM = """
import os
from lambdas.common.allocator import give_back

def resident_mb():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

blocks = [bytearray(10_000) for _ in range(5_000)]
held = blocks[-1]  # above all others, so that the heap cannot simply end earlier
del blocks
freed = resident_mb()
give_back()
print(freed - resident_mb())
"""


def test_memory_that_loading_took_for_a_moment_is_given_back():
    env = dict(os.environ, **KEPT, PYTHONPATH=os.pathsep.join(sys.path))
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert float(done.stdout) > 40


def test_a_c_library_that_cannot_give_back_is_no_error(monkeypatch):
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _name: object())
    allocator.give_back()
