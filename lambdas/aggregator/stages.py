"""How long the newest images took, by stage."""

from __future__ import annotations

from collections import deque
from typing import Any

MEASURED = 512
MAX_STAGES = 32


class Stages:
    def __init__(self) -> None:
        self._ms: dict[str, deque[float]] = {}

    def measure(self, ms: dict[str, Any]) -> None:
        for stage, value in ms.items():
            if isinstance(value, (int, float)) and len(self._ms) < MAX_STAGES:
                newest = self._ms.get(stage)
                if newest is None:
                    newest = self._ms[stage] = deque(maxlen=MEASURED)
                newest.append(value)

    def describe(self) -> dict[str, dict[str, float]]:
        """Milliseconds, for the stats."""
        return {stage: _percentiles(values) for stage, values in self._ms.items()}


def _percentiles(values: deque[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return {"p50": ordered[last // 2], "p99": ordered[round(last * 0.99)]}
