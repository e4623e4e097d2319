"""The verdict in what `fanfold status --json` prints (docs/spec/verdict.md)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fanfold.reference.answer import Answer


class ReasonAnswer(Answer):
    code: str = Field(description="docs/spec/verdict.md.")
    level: Literal["down", "degraded"]
    subject: str
    problem: str
    remedy: str
    blocks: bool = Field(description="An image that is published now would not be inspected.")
    requested: bool = Field(description="An operator asked for it.")
    lasting: bool = Field(description="This machine lacks something for a function.")
    gate: bool = Field(description="A new deployment's health gate waits for its end.")


class VerdictAnswer(Answer):
    state: Literal["ok", "degraded", "down"]
    ready: bool
    reasons: list[ReasonAnswer] = Field(description="The worst first.")
