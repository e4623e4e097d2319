"""The health gate of a new group: what its functions show within a time. Pure.

A model that starts and then fails the images is found by its trial (``edgecore.deploy.trial``),
also after the commit.

Slow to start is not dead, and one good moment is not health: a group passes when every
reason of its own (``gate``) has been gone for ``SETTLE_S``, and has failed when a pinned
function died before it ran, or twice (once may be an accident). AWS's core waits 30 s
(``postStartHealthCheckTimeout``) and counts only what died; a model may load for minutes,
hence the longer limit here.
"""

from __future__ import annotations

import json
from pathlib import Path

from contract.status import FunctionStatus, Reason, Status
from edgecore.core.options import HEALTH_LIMIT_S
from edgecore.core.verdict import gate_reasons, verdict_of

SETTLE_S = 3.0
STEP_S = 0.2
_MAX_ERROR_CHARACTERS = 400
_TAIL_BYTES = 16_384
# What the runtime and the core add after a function has logged why it ends.
_ECHOES = ("due to exception: 1", "ungracefully killed")


class HealthGate:
    """Asked every ``STEP_S`` with the core's status; keeps since when all is well."""

    def __init__(self, started: float, limit_s: float = HEALTH_LIMIT_S) -> None:
        self._started, self._limit_s = started, limit_s
        self._healthy_since: float | None = None
        self._ran: set[str] = set()

    def check(self, status: Status, now: float) -> bool | str | None:
        """True: passed; text: why it has failed; None: ask again."""
        if died := self.died(status):
            return died
        reasons = _against(status)
        if reasons:
            self._healthy_since = None
        elif self._healthy_since is None:
            self._healthy_since = now
        if self._healthy_since is not None and now - self._healthy_since >= SETTLE_S:
            return True
        if now - self._started < self._limit_s:
            return None
        # A function of somebody else may work in its module for ever (V1 does not mind);
        # only a group that reports its own readiness is judged by it.
        if not status.get("stats"):
            return True
        first = reasons[0]
        return f"not ready after {self._limit_s:.0f} s: {first['subject']} {first['problem']}"

    def died(self, status: Status) -> str | None:
        """The first pinned function that keeps dying, and its last error."""
        pinned = [f for f in status.get("functions", []) if f["pinned"]]
        if pinned and not any(_startable(f) for f in pinned):
            return f"function {pinned[0]['id']}: {pinned[0]['last_error']}"
        for function in pinned:
            if not _startable(function):
                continue
            if function["state"] == "running":
                self._ran.add(function["id"])
            deaths = function["restarts"] + (function["state"] in ("backoff", "crash_loop"))
            if deaths > (function["id"] in self._ran):
                return f"function {function['id']}: {function['last_error']}"
        return None


def is_healthy(status: Status) -> bool:
    """Whether the group has no reason against it at this moment."""
    return not _against(status)


def _against(status: Status) -> list[Reason]:
    """What an operator asked for (a drained worker) does not count, nor what no start mends:
    beside others that run, a function that this machine cannot start is a finding."""
    functions = status.get("functions", [])
    mendable = [f for f in functions if _startable(f)]
    if len(mendable) < len(functions):
        reasons = gate_reasons({**status, "functions": mendable})
    else:  # what the core has judged already, of all that there is
        reasons = [reason for reason in verdict_of(status)["reasons"] if reason["gate"]]
    return [reason for reason in reasons if not reason["requested"]]


def _startable(function: FunctionStatus) -> bool:
    return function.get("startable", True)


def _plain(line: str) -> str:
    """A line that is a JSON object (docs/spec/core.md) in the form of V1's own."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "message" not in entry:
        return line
    return f"[{entry.get('level', 'INFO')}] {entry.get('logger', '')}: {entry['message']}"


def last_log_error(log: Path) -> str:
    """The last critical line of a function's log, or its last error."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    lines = [_plain(line) for line in lines]
    own = [line for line in lines if not any(echo in line for echo in _ECHOES)] or lines
    for mark in ("[CRITICAL]", "[FATAL]", "Error: ", "[ERROR]"):
        matching = [line for line in own if mark in line]
        if matching:
            text = matching[-1] if mark == "Error: " else matching[-1].partition(mark)[2]
            return text.lstrip("- ").strip()[:_MAX_ERROR_CHARACTERS]
    return ""


def with_last_log_error(state: Path, problem: str) -> str:
    """With what the function itself logged: `exited with status 1` helps nobody."""
    name = problem.removeprefix("function ").partition(":")[0]
    logged = last_log_error(state / "logs" / f"{name}.log")
    return f"{problem}: {logged}" if logged and problem.startswith("function ") else problem
