"""Runs the checks of a command, now and then, on this machine (``--doctor``).

The core checks nothing itself: `fanfold doctor --json` is such a command, and a site may
have its own. It answers ``{"checks":[{"check","level","message","fix"},…]}``; its exit status
is ignored here. It runs at the lowest priority, beside the inspection and not instead of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

FIRST_AFTER_S = 5.0
EVERY_S = 300.0
TIMEOUT_S = 120.0
MAX_CHECKS = 200
MAX_TEXT = 500
SHOWN = ("error", "warning")


class CheckRunner:
    """``run`` beside the core; ``status`` is the last report."""

    def __init__(self, command: Sequence[str], first_after_s: float = FIRST_AFTER_S) -> None:
        self._command = list(command)
        self._first_after_s = first_after_s
        self._status: Mapping[str, Any] = {}

    def status(self) -> Mapping[str, Any]:
        """``{"t","counts","checks","problem"}``: errors and warnings only; empty before the first.

        ``t`` is epoch seconds; ``problem``: why the checks did not run, else None.
        """
        return self._status

    async def run(self) -> None:
        """Until cancelled; at once not at all where there is no command."""
        if not self._command:
            return
        await asyncio.sleep(self._first_after_s)
        while True:
            self._status = await self._run_checks()
            await asyncio.sleep(EVERY_S)

    async def _run_checks(self) -> Mapping[str, Any]:
        try:
            output = await asyncio.wait_for(self._ask(), TIMEOUT_S)
            checks = _checks(json.loads(output))
        except asyncio.TimeoutError:
            return _nothing(f"no output within {TIMEOUT_S:.0f} s")
        except OSError as error:
            return _nothing(f"{self._command[0]}: {error.strerror}")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return _nothing(f"not the output of `fanfold doctor --json`: {error}")
        counts = Counter(check["level"] for check in checks)
        shown = sorted((c for c in checks if c["level"] in SHOWN), key=_severity)
        return {"t": time.time(), "counts": dict(counts), "checks": shown, "problem": None}

    async def _ask(self) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_at_leisure,
        )
        try:
            output, _ = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return output


def _at_leisure() -> None:
    with contextlib.suppress(PermissionError):  # a unit may forbid even that
        os.nice(19)


def _severity(check: Mapping[str, str]) -> int:
    return SHOWN.index(check["level"])


def _checks(answer: Any) -> list[dict[str, str]]:
    keys = ("check", "level", "message", "fix")
    return [{k: str(c.get(k, ""))[:MAX_TEXT] for k in keys} for c in answer["checks"][:MAX_CHECKS]]


def _nothing(problem: str) -> Mapping[str, Any]:
    return {"t": time.time(), "counts": {}, "checks": [], "problem": problem[:MAX_TEXT]}
