"""How long the newest images took, by stage."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any, Sequence

MEASURED = 512
MAX_STAGES = 32


class Stages:
    """Every image is noted, and sorted out once a second: an image has five stages."""

    def __init__(self) -> None:
        self._ms: deque[dict[str, Any]] = deque(maxlen=MEASURED)
        self._described: dict[str, dict[str, float]] | None = {}

    def measure(self, ms: dict[str, Any]) -> None:
        self._described = None
        self._ms.append(ms if len(ms) <= MAX_STAGES else dict(islice(ms.items(), MAX_STAGES)))

    def describe(self) -> dict[str, dict[str, float]]:
        """Milliseconds, for the stats, which are told every second also where nothing comes."""
        if self._described is None:
            self._described = self._percentiles()
        return self._described

    def _percentiles(self) -> dict[str, dict[str, float]]:
        found: dict[str, list[float]] = {}
        for ms in self._ms:
            for stage, value in ms.items():
                if isinstance(value, (int, float)) and (stage in found or len(found) < MAX_STAGES):
                    found.setdefault(stage, []).append(value)
        return {stage: _of(values) for stage, values in found.items()}


def _of(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return {"p50": ordered[last // 2], "p99": ordered[round(last * 0.99)]}
