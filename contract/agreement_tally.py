"""Judgements of many images, counted by task: what `replay` and the core's canary both report."""

from __future__ import annotations

from collections import Counter
from typing import Any

from contract.agreement import Judgement
from contract.messages import Record


class Tally:
    """`add` each judged pair; what it holds does not grow with their number."""

    def __init__(self) -> None:
        self._images: Counter[str] = Counter()
        self._agreed: Counter[str] = Counter()
        self.flips: Counter[tuple[str, str]] = Counter()
        self._drifts, self._drift_sum = 0, 0.0

    def add(self, live: Record, replayed: Record, judged: Judgement, agree: bool) -> None:
        task = str(replayed.get("task") or live.get("task") or "none")
        self._images[task] += 1
        self._agreed[task] += agree
        self.flips.update(judged.flips)
        self._drifts += len(judged.drifts)
        self._drift_sum += sum(judged.drifts)

    def agreement(self) -> dict[str, Any]:
        """Task → images, agreed, share."""
        return {
            task: {"images": images, "agreed": self._agreed[task],
                   "share": round(self._agreed[task] / images, 6)}
            for task, images in sorted(self._images.items())
        }  # fmt: skip

    def most_flips(self, before: str, after: str, most: int) -> list[dict[str, Any]]:
        """The most frequent first; `before`, `after`: what the two answers are called."""
        return [
            {before: was, after: is_now, "count": count}
            for (was, is_now), count in self.flips.most_common(most)
        ]

    def drift(self) -> dict[str, Any]:
        """`count`, and `mean` where there is one."""
        if not self._drifts:
            return {"count": 0}
        return {"count": self._drifts, "mean": round(self._drift_sum / self._drifts, 6)}
