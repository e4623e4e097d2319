"""How a new deployment proves itself on live images, before and after the switch."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from infra.planning.fields import PositiveInt, Record

Share = Annotated[float, Field(ge=0, le=1)]


class Trial(Record):
    """What becomes of the first live images of a new deployment decides whether it stays."""

    images: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=50, description="How many answers count; 0: no trial."
    )
    max_failed: Share = Field(
        default=0.5,
        description="Share of them that the model may fail; above it the deployment before "
        "comes back.",
    )

    def variable(self) -> str:
        """FANFOLD_TRIAL; "" where everything is as the core assumes."""
        given = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(given, separators=(",", ":")) if given else ""


class Canary(Record):
    """A deployment with another model answers copies of live images before it replaces the old."""

    workers: Annotated[int, Field(ge=1, le=16)] = Field(
        default=1, description="Workers of the new model, beside all of the old one."
    )
    images: Annotated[int, Field(ge=1, le=20_000)] = Field(
        default=500, description="Images to compare."
    )
    max_disagreement: Share = Field(
        default=0.05, description="Share of them on which the two models may disagree."
    )
    max_slowdown: Annotated[float, Field(gt=0, le=100)] = Field(
        default=1.2, description="Times the old model's inference time, median and 99th percentile."
    )
    limit_s: PositiveInt = Field(
        default=3_600,
        description="Then it is decided by the images there were, with under 20 against it.",
    )

    def variable(self) -> str:
        """FANFOLD_CANARY, whole: that it is there turns the canary on."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))
