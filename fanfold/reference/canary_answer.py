"""What `fanfold canary --json` prints: the report that a device keeps (docs/spec/canary.md)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from fanfold.reference.answer import Answer, Versioned


class Agreement(Answer):
    images: int
    agreed: int
    share: float


class Flip(Answer):
    old: str = Field(description="Answer of the model that serves.")
    new: str = Field(description="Answer of the new one.")
    count: int


class Speed(Answer):
    images: int = Field(description="That both timed.")
    old: dict[str, float] = Field(description="`median` and `p99`, milliseconds of inference.")
    new: dict[str, float]


class CanaryAnswer(Versioned):
    deployment: str
    state: Literal["starting", "comparing", "passed", "refused", "ended"]
    reason: str = Field(description="Why refused or ended, else empty.")
    model: dict[str, Any] | None = Field(description="The new one: name, version, sha256.")
    against: dict[str, Any] | None = Field(description="The one that serves.")
    rule: dict[str, float] = Field(description="The site's `canary`.")
    began: float
    ended: float | None
    starts: int = Field(description="Above 1: a restart of the core began it again.")
    compared: int
    disagreed: int
    failed: int = Field(description="Of them, failed by the new model.")
    improved: int = Field(description="Answered by the new one and failed by the old.")
    not_comparable: int = Field(description="The image's own fault, or an answer did not come.")
    deaths: int = Field(description="Ends of the canary's worker.")
    agreement: dict[str, Agreement] = Field(description="By task.")
    flips: list[Flip] = Field(description="The most frequent first, 20 at most.")
    score_drift: dict[str, float] = Field(description="`count`, and `mean` of new − old.")
    inference_ms: Speed | None
    worst: list[dict[str, Any]] = Field(description="20 disagreements with both answers.")
