"""Counts by hour, day and shift of the site's own time, from half hours of UTC. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Literal

from edgecore.history.schema import SLOT_S

By = Literal["camera", "hour", "shift", "day"]
BYS: tuple[By, ...] = ("camera", "hour", "shift", "day")


@dataclass(slots=True)
class Count:
    """``defect_rate``: defects of the images that were inspected (``ok``)."""

    period: str
    camera: str
    ok: int = 0
    failed: int = 0
    dropped: int = 0
    defects: int = 0

    def add(self, ok: int, failed: int, dropped: int, defects: int) -> None:
        self.ok += ok
        self.failed += failed
        self.dropped += dropped
        self.defects += defects

    def as_json(self) -> dict[str, object]:
        images = self.ok + self.failed + self.dropped
        return {
            "period": self.period,
            "camera": self.camera,
            "images": images,
            "ok": self.ok,
            "failed": self.failed,
            "dropped": self.dropped,
            "defects": self.defects,
            "defect_rate": round(self.defects / self.ok, 6) if self.ok else None,
        }


SlotRow = tuple[int, str, int, int, int, int]


def counts_by(
    by: By, rows: Iterable[SlotRow], zone: tzinfo, shifts_min: tuple[int, ...]
) -> list[Count]:
    """``rows``: slot, camera, ok, failed, dropped, defects; sorted by period, then camera."""
    names: dict[int, str] = {}
    found: dict[tuple[str, str], Count] = {}
    for slot, camera, *numbers in rows:
        if slot not in names:
            names[slot] = period_of(by, slot, zone, shifts_min)
        key = names[slot], camera
        if key not in found:
            found[key] = Count(*key)
        found[key].add(*numbers)
    return [found[key] for key in sorted(found)]


def period_of(by: By, slot: int, zone: tzinfo, shifts_min: tuple[int, ...]) -> str:
    """``2026-11-25 14:00`` for an hour and for the shift that begins then."""
    if by == "camera":
        return ""
    local = datetime.fromtimestamp(slot * SLOT_S, timezone.utc).astimezone(zone)
    if by == "hour":
        return f"{local:%Y-%m-%d %H}:00"
    if by == "day":
        return f"{local:%Y-%m-%d}"
    at = bisect_right(shifts_min, local.hour * 60 + local.minute) - 1
    day = local.date() if at >= 0 else local.date() - timedelta(days=1)
    start = shifts_min[at]
    return f"{day} {start // 60:02}:{start % 60:02}"
