"""What `fanfold model … --json` prints."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from fanfold.reference.answer import Answer, Versioned


class ModelInspectAnswer(Versioned):
    path: str
    sha256: str = Field(description="Of the archive.")
    bytes: int
    name: str
    version: str
    runtime: str
    task: str
    footprint: dict[str, Any] | None


class ModelPublishAnswer(ModelInspectAnswer):
    uri: str = Field(description="For `fanfold deploy SITE --model`, or the site's file.")


class ModelTryAnswer(Versioned):
    image: str
    output: dict[str, Any] | None = Field(None, description="As in a result; absent: no answer.")
    problem: str | None = Field(None, description="Why there is no answer.")
    ms: float | None = Field(None, description="Decoding to answer, milliseconds.")
    drawn: str | None = Field(None, description="The drawing (PNG).")


class ModelNewAnswer(Versioned):
    path: str = Field(description="The `model.json` that was written.")
    family: str = Field(description="What kind of network it is.")
    why: str = Field(description="By what it is known to be that.")
    probes: int = Field(description="Of `--images`, kept in the folder.")
    answers: list[dict[str, Any]] = Field(description="As of `model try`, for `--images`.")


class PoolLine(Answer):
    """A line for each file, in order, with `--json` and without."""

    file: str
    status: Literal["ok", "failed"]
    reason: str | None = Field(None, description="Of a failed image.")
    output: dict[str, Any] | None = Field(None, description="As in a result.")
    ms: dict[str, float] | None = Field(None, description="queue, read, transform, inference.")


class Agreement(Answer):
    measure: Literal["top1", "boxes"]
    value: float | None = Field(description="0 to 1; null: nothing to judge by.")
    counted: int = Field(description="Images (top1) or boxes of the original.")
    images: int
    note: str


class Speed(Answer):
    speedup: float = Field(description="Median over rounds; above 1 the compiled one is faster.")
    range: list[float]
    ms: dict[str, float] = Field(description="`original`, `compiled`: per image, one thread.")


class CompileImages(Answer):
    calibrate: int
    judge: int
    shared: bool = Field(description="The same images calibrated and judged.")
    skipped: list[str] = Field(description="Files that are not images.")


class CompiledPackage(Answer):
    path: str
    sha256: str
    bytes: int
    version: str


class ModelCompileAnswer(Versioned):
    agreement: Agreement
    refusal: str | None = Field(description="Why it is not good enough, with or without --force.")
    speed: Speed | None
    footprint: dict[str, Any] | None
    images: CompileImages
    package: CompiledPackage | None = Field(description="null: nothing was written.")
