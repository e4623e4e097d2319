"""How a process ended, as its exit status tells. Pure."""

from __future__ import annotations

import signal

FAULTS = frozenset(
    (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS)
)
"""What a process does to itself. SIGKILL comes from outside: a person, or a lack of memory."""

_SHELL_BASE = 128
"""bubblewrap, as shells do, exits with 128 and the signal that ended what it ran."""


def fault_of(status: int) -> str:
    """The name of the signal by which the process's own code ended it, or ""."""
    number = -status if status < 0 else status - _SHELL_BASE
    return next((fault.name for fault in FAULTS if fault == number), "")
