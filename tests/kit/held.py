"""A process that somebody looks into with a debugger: it stands still, and Linux calls it so.

Unlike one that a signal has stopped, which the core sees at once, it can be told by nothing but
its silence. ptrace(2): whoever has attached must let go, from the same thread.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

_DEBUGGER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
ATTACH, DETACH, ALL_THREADS = 16, 17, 0x40000000
threads = [int(each) for each in os.listdir(f"/proc/{sys.argv[1]}/task")]
for thread in threads:
    if libc.ptrace(ATTACH, thread, None, None):
        sys.exit(os.strerror(ctypes.get_errno()))
    os.waitpid(thread, ALL_THREADS)
print("held", flush=True)
sys.stdin.read()
for thread in threads:
    libc.ptrace(DETACH, thread, None, None)
"""


@contextlib.contextmanager
def held(pid: int) -> Iterator[None]:
    """All of its threads, until the block ends."""
    debugger = subprocess.Popen(
        [sys.executable, "-c", _DEBUGGER, str(pid)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert debugger.stdout is not None
    assert debugger.stdout.readline() == "held\n"
    try:
        yield
    finally:
        debugger.communicate(timeout=20)
