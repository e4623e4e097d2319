"""How long a device keeps its history, and what counts as a defect (docs/guides/history.md)."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from infra.planning.fields import Record

ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):(00|30)$")]
Label = Annotated[str, Field(min_length=1, max_length=200)]


class History(Record):
    """What the embedded core remembers on its own disk."""

    keep_days: Annotated[float, Field(gt=0, le=3_650)] = Field(
        default=90.0, description="Images and failures; counts by half hour are kept for years."
    )
    max_bytes: Annotated[int, Field(ge=16_777_216)] = Field(
        default=1_073_741_824, description="On disk; the oldest images are forgotten first."
    )
    pictures_bytes: Annotated[int, Field(ge=0)] = Field(
        default=67_108_864, description="Of it, for small pictures of failed images; 0: none."
    )
    defects: tuple[Label, ...] = Field(
        default=(), description="Labels that make an image a defect; none: `anomalous`."
    )
    shifts: Annotated[tuple[ClockTime, ...], Field(min_length=1, max_length=12)] = Field(
        default=("06:00", "14:00", "22:00"), description="When each shift begins, local time."
    )
    time_zone: Annotated[str, Field(pattern=r"^([A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2})?$")] = (
        Field(default="", description="Such as Europe/Berlin; empty: the device's own.")
    )

    def contradictions(self) -> list[str]:
        found = []
        if len(set(self.shifts)) < len(self.shifts):
            found.append(f"shifts: {', '.join(self.shifts)}: a time is given twice; use each once")
        if self.pictures_bytes > self.max_bytes // 2:
            found.append(
                f"pictures_bytes: {self.pictures_bytes} is more than half of max_bytes "
                f"({self.max_bytes}); use a smaller number"
            )
        return found

    def variable(self) -> str:
        """FANFOLD_HISTORY; "" where everything is as the core assumes."""
        given = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(given, separators=(",", ":")) if given else ""
