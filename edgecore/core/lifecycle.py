"""When a function that ended is started again. Pure: times in, a delay out.

AWS documents neither back-off nor a limit; these are ours. A crash loop is shown and
retried slowly for ever: a device nobody visits must come back when its cause goes away.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

FunctionState = Literal["starting", "running", "backoff", "crash_loop", "stopped", "hung"]

FIRST_DELAY_S = 0.25
MAX_DELAY_S = 15.0
CRASH_LOOP_EXITS = 5
CRASH_LOOP_WINDOW_S = 60.0
CRASH_LOOP_DELAY_S = 60.0
STABLE_S = 60.0
"""A process that lived so long is stable: its next delay starts at the first."""
STABLE_ANSWERS = 3
"""So has one that answered so many messages before something else ended it: it worked, and a
pause would cost more than the next start. Not one: the message that ends a process may be
answered before it does."""

HUNG_MARGIN_S = 2.0
"""Beyond its timeout a worker with work waiting must have asked for it."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Wait ``delay_s``, showing ``state`` meanwhile."""

    state: Literal["backoff", "crash_loop"]
    delay_s: float


class RestartPolicy:
    """Exponential back-off with full-range jitter in [½, 1], and crash-loop detection."""

    def __init__(self) -> None:
        self._exits: deque[float] = deque(maxlen=CRASH_LOOP_EXITS)
        self._consecutive = 0

    def after_exit(
        self, now: float, uptime_s: float, jitter: float, *, answered: int = 0
    ) -> Restart:
        """``now`` on any monotonic clock; ``jitter`` uniform in [0, 1).

        ``answered``: messages that the process answered until a signal ended it. A crash
        loop is ends in a row without work between them.
        """
        stable = uptime_s >= STABLE_S or answered >= STABLE_ANSWERS
        if stable:
            self._exits.clear()
        self._consecutive = 1 if stable else self._consecutive + 1
        self._exits.append(now)
        spread = 0.5 + jitter / 2
        in_loop = len(self._exits) == CRASH_LOOP_EXITS
        if in_loop and now - self._exits[0] <= CRASH_LOOP_WINDOW_S:
            return Restart("crash_loop", CRASH_LOOP_DELAY_S * spread)
        delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self._consecutive - 1, 16))
        return Restart("backoff", delay_s * spread)


def is_overdue(now: float, handed_at: float, timeout_s: float) -> bool:
    """The handler ran longer than its Timeout: V1 kills the worker."""
    return now - handed_at > timeout_s


def is_hung(
    *, now: float, waiting: int, last_seen: float, oldest_at: float, timeout_s: float
) -> bool:
    """Work waits, and the worker neither holds any nor has asked for so long.

    ``last_seen``: its last request for work or answer; ``oldest_at``: when the oldest
    waiting item came. Hung is not dead: a stopped process still has a pid.
    """
    if not waiting:
        return False
    return now - max(last_seen, oldest_at) > timeout_s + HUNG_MARGIN_S
