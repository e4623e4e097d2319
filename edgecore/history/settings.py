"""How long the history is kept and what counts as a defect: a site's ``history``. Pure.

It comes as FANFOLD_HISTORY with the group (docs/spec/environment.md), so that a roll-back takes
it back as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edgecore.history.sample_rules import NO_SAMPLES, Samples, samples_of

VARIABLE = "FANFOLD_HISTORY"
DAY_MIN = 24 * 60


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``shifts_min``: when each shift begins, minutes after local midnight, ascending."""

    keep_days: float = 90.0
    max_bytes: int = 1 << 30
    pictures_bytes: int = 64 << 20
    defects: frozenset[str] = frozenset()
    shifts_min: tuple[int, ...] = (6 * 60, 14 * 60, 22 * 60)
    time_zone: str = ""
    samples: Samples = NO_SAMPLES
    problem: str = ""
    """What of the variable could not be read; the default holds instead."""

    @property
    def zone(self) -> tzinfo:
        """The site's time zone; the device's own where it names none or one unknown here."""
        found = _zone(self.time_zone) if self.time_zone else None
        return found or datetime.now(timezone.utc).astimezone().tzinfo or timezone.utc

    @property
    def zone_problem(self) -> str:
        if not self.time_zone or _zone(self.time_zone) is not None:
            return ""
        return (
            f"history.time_zone {self.time_zone!r} is not known on this device: its own is used; "
            "install tzdata, or correct the name"
        )


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def of_environment(environment: Mapping[str, str]) -> Settings:
    """Never raises: history is for people, and stops no core."""
    text = environment.get(VARIABLE, "")
    if not text:
        return Settings()
    try:
        return _settings(json.loads(text))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        return Settings(problem=f"{VARIABLE} {text!r:.80}: {error}; the defaults hold")


def _settings(given: Mapping[str, Any]) -> Settings:
    default = Settings()
    return Settings(
        keep_days=float(given.get("keep_days", default.keep_days)),
        max_bytes=int(given.get("max_bytes", default.max_bytes)),
        pictures_bytes=int(given.get("pictures_bytes", default.pictures_bytes)),
        defects=frozenset(map(str, given.get("defects", ()))),
        shifts_min=tuple(sorted(minutes(x) for x in given["shifts"]))
        if given.get("shifts")
        else default.shifts_min,
        time_zone=str(given.get("time_zone", "")),
        samples=samples_of(given.get("samples")),
    )


def minutes(clock: str) -> int:
    """``06:30`` → 390. Raises ValueError."""
    hour, colon, minute = clock.partition(":")
    found = int(hour) * 60 + int(minute or "x")
    if not colon or not 0 <= found < DAY_MIN:
        raise ValueError(f"{clock!r} is no time of day such as 06:00")
    return found
