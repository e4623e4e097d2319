"""What happened lately: from counters that only grow to counts of the last minute. Pure.

Nothing newer is no reason to forget: the last ``KEPT_IMAGES`` images count until as many newer
ones have come, so a model that failed all of its images does not turn green by being left alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contract.status import RecentStatus, RefusedImages, Status
from edgecore.core.stats import all_drained, mapping, number, numbers, part

WINDOW_S = 60.0
KEPT_IMAGES = 20
MOST_PER_TICK_S = 2.0
"""More passed only where the core itself was stopped; then nobody has waited for so long."""
FORGET_REFUSED_S = 3600.0
MAX_REFUSED = 64
MAX_COUNTERS = 1024
MAX_TICKS = 4096

LOST = "cloud_lost"
_SPOOL_S_OWN = ("quota_oldest", "damaged")
_COUNTED = ("answered", "failed", "model_errors", "dropped", "accepted", LOST)


@dataclass
class _Tick:
    t: float
    counts: dict[str, float]

    @property
    def finished(self) -> float:
        return self.counts["answered"] + self.counts["failed"] + self.counts["dropped"]


@dataclass
class Recent:
    """``tick`` once a second with the status and the monotonic clock."""

    _before: dict[str, float] = field(default_factory=dict)
    _ticks: deque[_Tick] = field(default_factory=lambda: deque(maxlen=MAX_TICKS))
    _refused: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _t: float | None = None
    _unanswered_s: float = 0.0

    def tick(self, status: Status, now: float) -> None:
        passed_s = 0.0 if self._t is None else min(max(now - self._t, 0.0), MOST_PER_TICK_S)
        self._t = now
        tick = _Tick(now, dict.fromkeys(_COUNTED, 0.0))
        for name, source, value in _totals(status):
            tick.counts[name] += self._grown(f"{name} {source}", value, new=name != LOST)
        for camera, reason, total in _refusals(status):
            self._refuse(camera, reason, self._grown(f"{camera} {reason}", total), now)
        self._keep(tick)
        waiting = not all_drained(status) and number(part(status, "splitter").get("backlog"))
        self._unanswered_s = 0.0 if tick.finished or not waiting else self._unanswered_s + passed_s

    def forget(self) -> None:
        """Another group runs: what became of the old one's images does not describe it."""
        self._ticks.clear()
        self._before = {k: v for k, v in self._before.items() if k.startswith(LOST)}
        self._refused.clear()
        self._unanswered_s = 0.0

    def status(self) -> RecentStatus:
        """``recent`` of ``/api/status``."""
        now = self._t or 0.0
        counts = {name: int(sum(t.counts[name] for t in self._ticks)) for name in _COUNTED}
        since = self._ticks[0].t if self._ticks else now
        refused: list[RefusedImages] = [
            {"camera": c, "reason": r, "count": int(n), "since_s": round(now - t, 1)}
            for (c, r), (n, t) in self._refused.items()
        ]
        return {
            "window_s": round(max(now - since, min(WINDOW_S, now)), 1),
            "accepted": counts["accepted"],
            "answered": counts["answered"],
            "failed": counts["failed"],
            "model_errors": counts["model_errors"],
            "dropped": counts["dropped"],
            "cloud_lost": counts[LOST],
            "unanswered_s": round(self._unanswered_s, 1),
            "refused_images": sorted(refused, key=lambda each: each["since_s"]),
        }

    def _grown(self, name: str, value: float, *, new: bool = True) -> float:
        """What was added. A counter whose source started anew begins at 0; ``new``: so does one
        that is heard of for the first time."""
        before = self._before.get(name)
        if before is None and len(self._before) >= MAX_COUNTERS:
            return 0.0
        self._before[name] = value
        if before is None:
            return value if new else 0.0
        return value - before if value >= before else value

    def _keep(self, tick: _Tick) -> None:
        if any(tick.counts.values()):
            self._ticks.append(tick)
        finished = sum(each.finished for each in self._ticks)
        while self._ticks and self._ticks[0].t < tick.t - WINDOW_S:
            oldest = self._ticks[0].finished
            if oldest and finished - oldest < KEPT_IMAGES:
                return
            finished -= oldest
            self._ticks.popleft()

    def _refuse(self, camera: str, reason: str, count: float, now: float) -> None:
        old = [k for k, (_, t) in self._refused.items() if now - t > FORGET_REFUSED_S]
        for key in old:
            del self._refused[key]
        if count and (len(self._refused) < MAX_REFUSED or (camera, reason) in self._refused):
            entry = self._refused.setdefault((camera, reason), [0.0, now])
            entry[0], entry[1] = entry[0] + count, now


def _totals(status: Status) -> list[tuple[str, str, float]]:
    """What is counted, by whom, and how much since that one started."""
    aggregator, splitter = part(status, "aggregator"), part(status, "splitter")
    found = [(name, "", aggregator.get(name)) for name in ("answered", "failed", "model_errors")]
    found += [
        ("accepted", "", splitter.get("accepted")),
        (LOST, "spool", _lost_by_the_spool(mapping(status.get("cloud")))),
        (LOST, "outbox", aggregator.get("outbox_dropped")),
    ]
    found += [("dropped", k, n) for k, n in numbers(aggregator.get("dropped")).items()]
    return [(name, source, n) for name, source, v in found if (n := number(v)) is not None]


def _lost_by_the_spool(cloud: Mapping[str, Any]) -> object:
    """Where what the cloud refuses is set aside, that is told by itself, and is not lost."""
    if "quarantined" not in cloud:
        return cloud.get("dropped")
    reasons = numbers(cloud.get("dropped_by_reason"))
    return sum(reasons.get(each, 0.0) for each in _SPOOL_S_OWN)


def _refusals(status: Status) -> list[tuple[str, str, float]]:
    """Camera, reason, total: what the splitter refused, and what the MQTT endpoint did."""
    by_camera = mapping(part(status, "splitter").get("rejected_by_camera"))
    found = [
        (str(camera), reason, total)
        for camera, reasons in by_camera.items()
        for reason, total in numbers(reasons).items()
    ]
    large = numbers(mapping(status.get("mqtt")).get("too_large"))
    return found + [(thing, "too_large", total) for thing, total in large.items()]
