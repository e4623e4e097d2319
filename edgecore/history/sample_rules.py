"""Which live images are kept whole: a site's ``history.samples``. Pure.

An image is chosen by what it is called and what the model said of it, so the same image is chosen
by whoever asks, and the rate is for ``Pace`` to hold.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgecore.core.stats import number
from edgecore.history.rows import Found

MAX_PACES = 4_096
"""Rules and cameras whose last picture is remembered."""


@dataclass(frozen=True, kw_only=True)
class SampleRule:
    """``camera`` and ``label`` empty: any. ``per_hour``: of each camera."""

    name: str
    camera: str = ""
    share: float = 1.0
    label: str = ""
    score_min: float | None = None
    score_max: float | None = None
    disagreement: bool = False
    per_hour: float = 60.0

    def wants(self, image: str, camera: str, labels: Sequence[Found]) -> bool:
        """``image``: what it is known by; ``labels``: the best first."""
        if self.camera not in ("", camera):
            return False
        return self._has_answer(labels) and self._in_share(image)

    def _has_answer(self, labels: Sequence[Found]) -> bool:
        if not (self.label or self._has_band):
            return True
        named = [f for f in labels if self.label in ("", f.label)]
        return bool(named) and self._in_band(named[0].score)

    @property
    def _has_band(self) -> bool:
        return self.score_min is not None or self.score_max is not None

    def _in_band(self, score: float) -> bool:
        low = self.score_min if self.score_min is not None else float("-inf")
        high = self.score_max if self.score_max is not None else float("inf")
        return low <= score <= high

    def _in_share(self, image: str) -> bool:
        if self.share >= 1:
            return True
        text = f"{self.name}\n{image}".encode(errors="backslashreplace")
        drawn = int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")
        return drawn < self.share * (1 << 32)


@dataclass(frozen=True, kw_only=True)
class Samples:
    """No rules: nothing is kept."""

    rules: tuple[SampleRule, ...] = ()
    max_bytes: int = 256 << 20

    def rule_for(
        self, image: str, camera: str, labels: Sequence[Found], *, disagreement: bool = False
    ) -> SampleRule | None:
        """The first rule that wants it."""
        return next(
            (
                rule
                for rule in self.rules
                if rule.disagreement == disagreement and rule.wants(image, camera, labels)
            ),
            None,
        )


NO_SAMPLES = Samples()


def samples_of(given: Mapping[str, Any] | None) -> Samples:
    """``samples`` of FANFOLD_HISTORY. Raises ValueError, TypeError, KeyError."""
    if not given:
        return NO_SAMPLES
    rules = tuple(_rule(each) for each in given["rules"])
    return Samples(rules=rules, max_bytes=int(given.get("max_bytes", Samples.max_bytes)))


def _rule(given: Mapping[str, Any]) -> SampleRule:
    return SampleRule(
        name=str(given["name"]),
        camera=str(given.get("camera") or ""),
        share=float(given.get("share", 1.0)),
        label=str(given.get("label") or ""),
        score_min=number(given.get("score_min")),
        score_max=number(given.get("score_max")),
        disagreement=given.get("disagreement") is True,
        per_hour=max(float(given.get("per_hour", 60.0)), 1e-6),
    )


class Pace:
    """One picture of a rule and a camera, then none until its time: a line that stands still
    before a defect does not fill the disk with it."""

    def __init__(self) -> None:
        self._next: OrderedDict[tuple[str, str], float] = OrderedDict()

    def admits(self, rule: SampleRule, camera: str, now: float) -> bool:
        """``now``: monotonic seconds. True counts as taken."""
        key = rule.name, camera
        if now < self._next.get(key, float("-inf")):
            return False
        self._next[key] = now + 3600.0 / rule.per_hour
        self._next.move_to_end(key)
        if len(self._next) > MAX_PACES:
            self._next.popitem(last=False)
        return True
