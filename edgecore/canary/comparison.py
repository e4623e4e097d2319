"""Two models' answers to the same images, counted and judged. Pure: no clock, no IO.

What is the image's own fault, or the machine's, says nothing about a model and is not compared.
What the new model fails counts against it, whatever the old one made of the image.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Sequence
from typing import Any

from contract.agreement import Judgement, judge
from contract.agreement_tally import Tally
from contract.messages import MODEL_FAULTS, Record
from contract.status import SpeedStatus
from edgecore.canary.rule import CanaryRule
from edgecore.core.stats import mapping, number

FEWEST = 20
"""With fewer images (or all that the rule asks for) nothing is concluded."""
NOISE_MS, P99_NOISE_MS = 1.0, 5.0
"""A difference below these is the machine's, not the model's."""
P99_FROM = 100
"""Below so many images the 99th percentile is one image's accident."""
WORST = 20
MAX_FLIPS = 20


class Comparison:
    """``add`` each pair of records, ``died`` for each end of a canary worker."""

    def __init__(self, rule: CanaryRule) -> None:
        self.rule = rule
        self.compared = self.disagreed = self.failed = self.improved = self.not_comparable = 0
        self.deaths = 0
        self._tally = Tally()
        self._ms: tuple[list[float], list[float]] = ([], [])
        self._worst: list[tuple[float, int, dict[str, Any]]] = []

    def add(self, old: Record, new: Record, judged: Judgement | None = None) -> None:
        """Records of one image as ``done`` has them (docs/spec/messages.md); ``judged``: by
        ``judge``, where somebody had the time for it already."""
        if _model_failed(new):
            self.failed += 1
        elif _model_failed(old) and new.get("status") == "ok":
            self.compared += 1
            self.improved += 1
            return
        elif old.get("status") != "ok" or new.get("status") != "ok":
            self.not_comparable += 1
            return
        judged = judged or judge(old, new)
        agree = judged.agree and not _model_failed(new)
        self.compared += 1
        self.disagreed += not agree
        self._tally.add(old, new, judged, agree)
        self._time(old, new)
        if not agree:
            self._keep(judged.weight, old, new)

    def died(self, in_hand: int) -> None:
        """A canary worker ended; the images that it had count as disagreements, and lose
        nothing: the old model answers them."""
        self.deaths += 1
        self.compared += in_hand
        self.disagreed += in_hand
        self.failed += in_hand
        if in_hand:
            self._tally.flips[("ok", "the canary worker ended")] += in_hand

    def verdict(self, *, time_is_up: bool) -> bool | str | None:
        """True: the new model may serve; text: why not; None: more images are needed."""
        rule = self.rule
        if self.disagreed > rule.max_disagreement * max(rule.images, self.compared):
            return self._disagreement()
        if self.compared < rule.images and not time_is_up:
            return None
        if self.compared < min(FEWEST, rule.images):
            return (
                f"only {self.compared} of {rule.images} images were compared in "
                f"{rule.limit_s:.0f} s: deploy again when images come, with a longer "
                "canary.limit_s, or without canary"
            )
        if self.disagreed > rule.max_disagreement * self.compared:
            return self._disagreement()
        return self._too_slow() or True

    def _disagreement(self) -> str:
        failed = f", {self.failed} of them failed by the new one" if self.failed else ""
        flip = self._tally.flips.most_common(1)
        often = f"; most often {flip[0][0][0]} → {flip[0][0][1]}" if flip else ""
        return (
            f"the models disagree on {self.disagreed} of {self.compared} images{failed} (limit "
            f"{self.rule.max_disagreement:.1%}){often}"
        )

    def _too_slow(self) -> str:
        speed = self.speed()
        if speed is None:
            return ""
        for name, noise_ms in (("median", NOISE_MS), ("p99", P99_NOISE_MS)):
            old, new = speed["old"][name], speed["new"][name]
            judged = name == "median" or speed["images"] >= P99_FROM
            if judged and new > old * self.rule.max_slowdown and new - old > noise_ms:
                return (
                    f"the new model takes {new:.1f} ms for an image ({name}), the old one "
                    f"{old:.1f} ms on the same {speed['images']} (limit "
                    f"{self.rule.max_slowdown:g} times)"
                )
        return ""

    def speed(self) -> SpeedStatus | None:
        """Of images that both timed; None: none."""
        old, new = self._ms
        if not old:
            return None
        return {"images": len(old), "old": _percentiles(old), "new": _percentiles(new)}

    def summary(self) -> dict[str, Any]:
        """What the report says (docs/spec/canary.md), without the worst."""
        return {
            "compared": self.compared,
            "disagreed": self.disagreed,
            "failed": self.failed,
            "improved": self.improved,
            "not_comparable": self.not_comparable,
            "deaths": self.deaths,
            "agreement": self._tally.agreement(),
            "flips": self._tally.most_flips("old", "new", MAX_FLIPS),
            "score_drift": self._tally.drift(),
            "inference_ms": self.speed(),
        }

    @property
    def worst(self) -> list[dict[str, Any]]:
        """The worst disagreement first."""
        return [each for _, _, each in sorted(self._worst, key=lambda w: (-w[0], w[1]))]

    def _time(self, old: Record, new: Record) -> None:
        times = [number(mapping(each.get("ms")).get("inference")) for each in (old, new)]
        if times[0] is not None and times[1] is not None:
            insort(self._ms[0], times[0])
            insort(self._ms[1], times[1])

    def _keep(self, weight: float, old: Record, new: Record) -> None:
        shown = {
            **{key: old.get(key) for key in ("stream", "seq", "file")},
            "old": _answer(old), "new": _answer(new),
        }  # fmt: skip
        push = heapq.heappush if len(self._worst) < WORST else heapq.heappushpop
        push(self._worst, (weight, self.compared, shown))


def _model_failed(record: Record) -> bool:
    return record.get("status") == "failed" and record.get("reason") in MODEL_FAULTS


def _answer(record: Record) -> Any:
    if record.get("status") == "ok":
        return record.get("output")
    return {key: record.get(key) for key in ("status", "reason", "detail")}


def _percentiles(ordered: Sequence[float]) -> dict[str, float]:
    last = len(ordered) - 1
    return {"median": ordered[last // 2], "p99": ordered[round(0.99 * last)]}
