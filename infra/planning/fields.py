"""Types that the profile and the site share: strict, frozen, and named with their unit."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

from contract.topics import NAME


class Record(BaseModel):
    """A mapping of a YAML file: unknown keys refused, nothing converted, never changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def contradictions(self) -> list[str]:
        """What is wrong between fields that are each right: `key: message` lines."""
        return []

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        found = self.contradictions()
        if found:
            raise ValueError("\n".join(found))
        return self


Name = Annotated[str, Field(pattern=f"^{NAME}$")]
DeviceFile = Annotated[str, Field(pattern=r"^/dev/[A-Za-z0-9._/-]+$")]
AbsolutePath = Annotated[str, Field(pattern=r"^/[^\n]*[^/\n]$")]
CERTIFICATE_ARN = r"^arn:aws[a-z-]*:iot:[a-z0-9-]+:\d{12}:cert/[0-9a-f]{64}$"
CertificateArn = Annotated[str, Field(pattern=CERTIFICATE_ARN)]
PositiveInt = Annotated[int, Field(ge=1)]
# Far above any device, so that a slip of the finger is a finding and not an endless plan.
Count = Annotated[int, Field(ge=1, le=1_000)]
PositiveFloat = Annotated[float, Field(gt=0)]


class StageTimes(Record):
    """Milliseconds of one image on one thread (and, for inference, one accelerator)."""

    transform: PositiveFloat = Field(description="Decode and resize, ms per image on one core.")
    inference: PositiveFloat = Field(
        description="Network, ms per image: on one core, or on one GPU if the profile has any."
    )
    inference_beside: PositiveFloat | None = Field(
        default=None,
        description="The same while a copy runs on every other core: they take caches from one "
        "another. Without it they count as if they did not.",
    )


class Footprint(Record):
    """What one copy of the model needs: measured by the tool that packs it."""

    memory_kb: PositiveInt = Field(description="Main memory of one copy, kilobytes.")
    gpu_memory_mb: int = Field(default=0, ge=0, description="GPU memory of one copy, megabytes.")
    input_kb: int = Field(
        default=0, ge=0, description="The network's input tensor, its batch included, kilobytes."
    )
    ms: StageTimes | None = Field(default=None, description="Time per image and stage.")
