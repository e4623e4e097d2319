"""The compact message about a part that the cloud turns into metrics and alarms.

Counters travel as what was added since the last message that the core took, so that a
sum over any time is right; levels (a backlog, say) as they are.
"""

from __future__ import annotations

from typing import Mapping

from contract.messages import VERSION, encode
from lambdas.common.bus import Bus
from lambdas.common.settings import Common, Health


class HealthReport:
    """Publishes one part's health every `health.every_s`; nothing where there is no topic."""

    def __init__(self, settings: Common, health: Health, part: str, bus: Bus, now: float) -> None:
        self._site = settings.site
        self._health = health
        self._part = part
        self._bus = bus
        self._reported_at = now
        self._reported: dict[str, int] = {}

    def pump(
        self, counters: Mapping[str, int], levels: Mapping[str, int], now: float, wall: float
    ) -> None:
        """Publish when due; what the core refuses is in the next message."""
        since_s = now - self._reported_at
        if not self._health.topic or since_s < self._health.every_s:
            return
        message = {
            "v": VERSION,
            "site": self._site,
            "core": self._health.thing,
            "part": self._part,
            "t": round(wall, 3),
            "interval_s": round(since_s, 1),
            **{name: value - self._reported.get(name, 0) for name, value in counters.items()},
            **levels,
        }
        if self._bus.publish(self._health.topic, encode(message)):
            self._reported_at, self._reported = now, dict(counters)
