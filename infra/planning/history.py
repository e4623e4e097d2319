"""How long a device keeps its history, and what counts as a defect (docs/guides/history.md)."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from infra.planning.fields import Record
from infra.planning.samples import Samples

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

    samples: Samples | None = Field(
        default=None, description="Live images that are kept whole; absent: none."
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
        samples_bytes = self.samples.max_bytes if self.samples else 0
        if samples_bytes and samples_bytes + self.pictures_bytes > self.max_bytes // 2:
            found.append(
                f"samples.max_bytes: {samples_bytes} and pictures_bytes ({self.pictures_bytes}) "
                f"are more than half of max_bytes ({self.max_bytes}); use smaller numbers"
            )
        return found

    def for_cameras(self, names: list[str]) -> History:
        """As one of several boxes has it: rules about cameras of others are theirs."""
        samples = self.samples
        rules = [r for r in samples.rules if r.camera in {None, *names}] if samples else []
        some = samples.model_copy(update={"rules": tuple(rules)}) if samples and rules else None
        return self.model_copy(update={"samples": some})

    def variable(self) -> str:
        """FANFOLD_HISTORY; "" where everything is as the core assumes."""
        given = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(given, separators=(",", ":")) if given else ""
