"""Who reports regularly, and for how long each has been silent. Pure: the caller has the clock.

Ages are of the monotonic clock, and only of time in which a report could have been heard:
after the core itself was stopped nobody has been silent for as long.
"""

from __future__ import annotations

MAX_REPORTERS = 256
MOST_PER_TICK_S = 1.0

STATS_LIMIT_S = 10.0
"""Stats come once a second; ten missing ones are a part that no longer works."""
HEARTBEAT_LIMIT_S = 2.5
"""Heartbeats come once a second; two missing ones are a worker that may be frozen."""
HUNG_AFTER_S = 30.0
"""A part that reports, and then does not for so long, is hung, whatever its process says."""


class Reports:
    """`tick` regularly; `heard` whenever somebody reports."""

    def __init__(self) -> None:
        self._silent_s: dict[str, float] = {}
        self._ticked_at: float | None = None

    def heard(self, name: str) -> None:
        if name in self._silent_s or len(self._silent_s) < MAX_REPORTERS:
            self._silent_s[name] = 0.0

    def tick(self, now: float) -> None:
        passed_s = 0.0 if self._ticked_at is None else now - self._ticked_at
        self._ticked_at = now
        for name in self._silent_s:
            self._silent_s[name] += min(max(passed_s, 0.0), MOST_PER_TICK_S)

    def silence_s(self) -> dict[str, float]:
        """Seconds by name, of everybody who has ever reported."""
        return {name: round(seconds, 2) for name, seconds in self._silent_s.items()}

    def forget(self) -> None:
        self._silent_s.clear()
