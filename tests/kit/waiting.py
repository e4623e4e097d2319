"""Tests wait for events, never for time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

EVERY_S = 0.05


def eventually(
    check: Callable[[], Any], what: str | Callable[[], str], deadline_s: float = 120.0
) -> Any:
    """The first true value of `check`; without one the test fails, and says `what` was missing."""
    end = time.monotonic() + deadline_s
    while (began := time.monotonic()) < end:
        if found := check():
            return found
        # A check that starts a process or reads all that came must not take the processor
        # from what it waits for.
        time.sleep(max(EVERY_S, 2 * (time.monotonic() - began)))
    missing = what if isinstance(what, str) else what()
    return pytest.fail(f"not within {deadline_s:g} s: {missing}")
