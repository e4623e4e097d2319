"""Workers that never ask for work: what is known of one, and since when. Pure.

A V1 pinned function may work in its module for ever, so silence proves nothing. Three
things do: Linux says that the process is stopped; the function has named a limit for its
own start; or it uses no CPU at all, which is reported and not acted upon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from edgecore.supervisor.procstate import ProcessState

START_LIMIT_VARIABLE = "FANFOLD_START_TIMEOUT_S"
"""In a function's environment: it asks for work within so many seconds, or is hung."""
QUIET_AFTER_S = 120.0
"""A start that used no CPU for so long is worth an operator's look."""
_BUSY_CPU_S = 0.05  # an interpreter that only sleeps uses less in two minutes


class StartCheck(NamedTuple):
    """``kill``: why the worker is to be replaced; ``warn``: a finding for the operator."""

    kill: str | None = None
    warn: str | None = None


@dataclass(slots=True)
class StartWatch:
    """One worker's; asked about once a second, times on any monotonic clock.

    ``frozen``: stopped at the last two looks.
    """

    timeout_s: float
    start_limit_s: float | None
    started_at: float
    stopped_since: float | None = None
    frozen: bool = False
    _cpu_s: float = 0.0
    _quiet_since: float | None = None

    def look(self, now: float, state: ProcessState | None, *, fetched: bool) -> StartCheck:
        """``fetched``: it has asked for work at least once; then only a stop counts."""
        if state is None:
            return StartCheck()
        self.frozen = state.stopped and self.stopped_since is not None
        if not state.stopped:
            self.stopped_since = None
        elif self.stopped_since is None:
            self.stopped_since = now
        elif now - self.stopped_since >= self.timeout_s:
            return StartCheck(
                kill=f"hung: stopped by a signal for {now - self.stopped_since:.0f} s"
            )
        return StartCheck() if fetched else self._start(now, state)

    def _start(self, now: float, state: ProcessState) -> StartCheck:
        limit_s, took_s = self.start_limit_s, now - self.started_at
        if limit_s is not None and took_s > limit_s:
            return StartCheck(
                kill=f"hung: no request for work within {limit_s:g} s of its start"
                f" ({START_LIMIT_VARIABLE})"
            )
        if self._quiet_since is None or state.cpu_s - self._cpu_s > _BUSY_CPU_S:
            self._cpu_s, self._quiet_since = state.cpu_s, now
        elif now - self._quiet_since >= QUIET_AFTER_S:
            return StartCheck(
                warn=f"it has not asked for work since its start and has used no CPU for"
                f" {QUIET_AFTER_S:.0f} s: if it should serve messages it is stuck; read its"
                f" log, restart it, or set {START_LIMIT_VARIABLE}"
            )
        return StartCheck()


def start_limit_s(environment: Mapping[str, str]) -> tuple[float | None, str | None]:
    """The limit that a function has set itself, and what is wrong with the text where it is."""
    text = environment.get(START_LIMIT_VARIABLE)
    if text is None:
        return None, None
    try:
        limit_s = float(text)
    except ValueError:
        limit_s = -1.0
    if 1 <= limit_s < float("inf"):
        return limit_s, None
    problem = f"{START_LIMIT_VARIABLE} is {text[:40]!r} and is ignored; use seconds, 1 or more"
    return None, problem
