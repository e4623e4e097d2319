"""How a process ended, from its exit status. Pure."""

from __future__ import annotations

import signal

_SHELL_BASE = 128
"""bubblewrap, as shells do, exits with 128 and the signal that ended what it ran."""


def signal_of(status: int) -> str:
    """The name of the signal that ended the process, or "" where it ended by itself."""
    number = -status if status < 0 else status - _SHELL_BASE
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""
