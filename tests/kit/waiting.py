"""Tests wait for events, never for time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

EVERY_S, SELDOM_S = 0.05, 0.25


def pause_s(began: float, asked: float) -> float:
    """Until the next look: who has waited long looks more seldom, and a look that starts a process
    or reads all that came must not take the processor from what it waits for."""
    now = time.monotonic()
    return max(EVERY_S, min(SELDOM_S, (now - began) / 20), 2 * (now - asked))


def eventually(
    check: Callable[[], Any], what: str | Callable[[], str], deadline_s: float = 120.0
) -> Any:
    """The first true value of `check`; without one the test fails, and says `what` was missing."""
    began = time.monotonic()
    while (asked := time.monotonic()) < began + deadline_s:
        if found := check():
            return found
        time.sleep(pause_s(began, asked))
    missing = what if isinstance(what, str) else what()
    return pytest.fail(f"not within {deadline_s:g} s: {missing}")


async def until(check: Callable[[], object], what: str = "", deadline_s: float = 40.0) -> None:
    """In an event loop: returns when `check` is true; without it the test fails, and says `what`
    was missing."""
    try:
        async with asyncio.timeout(deadline_s):
            while not check():
                await asyncio.sleep(0.002)
    except TimeoutError:
        pytest.fail(f"not within {deadline_s:g} s: {what or 'what was waited for'}")
