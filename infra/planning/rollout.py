"""How a deployment of target `iot` or `v2` goes over its devices: the IoT job's own terms."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.planning.fields import PositiveInt, Record


class Growth(Record):
    """The rate grows while devices succeed."""

    base_per_minute: Annotated[int, Field(ge=1, le=1_000)] = Field(
        description="Devices told in the first minute."
    )
    factor: Annotated[float, Field(ge=1.1, le=5)] = Field(
        default=2.0, description="The rate is multiplied by this, one decimal."
    )
    every_succeeded: PositiveInt = Field(description="Each time that so many more have succeeded.")

    def contradictions(self) -> list[str]:
        if abs(self.factor * 10 - round(self.factor * 10)) > 1e-9:
            return [f"factor: {self.factor} has more than one decimal; AWS takes one"]
        return []


class Abort(Record):
    """When to stop: devices that have not begun keep what they run."""

    failed_percent: Annotated[float, Field(gt=0, le=100)] = Field(
        default=20.0, description="So many of the devices that have ended, failed; in percent."
    )
    after: PositiveInt = Field(default=1, description="Not before so many have ended.")


class Rollout(Record):
    """Targets iot and v2: rate, abort rule and time-out of a deployment's job; retries with iot."""

    per_minute: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        default=None, description="At most so many devices are told in a minute; null: AWS's 1000."
    )
    growth: Growth | None = Field(default=None, description="Begin slower than per_minute.")
    abort: Abort | None = Field(default=Abort(), description="When to stop; null: never.")
    timeout_s: Annotated[int, Field(ge=60, le=604_800)] = Field(
        default=1_800, description="How long a device may work on it, from its first step."
    )
    retries: Annotated[int, Field(ge=0, le=10)] = Field(
        default=0, description="Further attempts on a device that failed or timed out."
    )
