"""What is free in the heap is the machine's again, also under the planner's settings."""

import os
import subprocess
import sys

from contract import allocator

# A worker's own (infra/planning/threads.py): what is freed is kept.
KEPT = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "30000000"}
PROGRAM = """
import os
from contract.allocator import give_back

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


THREADS = """
import ctypes, threading
from contract.allocator import share_one_heap
if {shared}:
    share_one_heap()
kept = []
threads = [threading.Thread(target=lambda: kept.append(bytearray(10_000))) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
ctypes.CDLL(None).malloc_stats()
"""


def heaps(shared):
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    command = [sys.executable, "-c", THREADS.format(shared=shared)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return done.stderr.count("Arena ")


def test_threads_share_one_heap():
    """What a burst took in one of them is there for the others."""
    assert heaps(shared=False) > 1
    assert heaps(shared=True) == 1
