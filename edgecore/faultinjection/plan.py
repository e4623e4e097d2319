"""The fault plan as data: read, checked, frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from contract.nesting import TOO_DEEP, too_deep
from contract.topic_filters import filter_problem
from edgecore.core.options import CoreError

INVALID = 2

Rate = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Period = Annotated[float, Field(gt=0, le=86_400)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MessageFaults(_Part):
    """Shares of the messages whose topic matches; the first matching entry decides."""

    topic: str = Field(default="#", min_length=1)
    drop: Rate = 0.0
    duplicate: Rate = 0.0
    delay: Rate = 0.0
    refuse: Rate = 0.0
    delay_s: Seconds = 0.5

    @model_validator(mode="after")
    def _sound(self) -> MessageFaults:
        if problem := filter_problem(self.topic):
            raise ValueError(problem)
        total = self.drop + self.duplicate + self.delay + self.refuse
        if total > 1 + 1e-9:
            raise ValueError(
                f"drop + duplicate + delay + refuse is {total:g}; the limit is 1: one message "
                "meets one fault"
            )
        return self


class FunctionFaults(_Part):
    """``function`` is a glob over function ids; times count from the core's start."""

    function: str = Field(default="*", min_length=1)
    kill_every_s: Period | None = None
    freeze_every_s: Period | None = None
    kill_at_s: tuple[Seconds, ...] = ()
    freeze_at_s: tuple[Seconds, ...] = ()


class Flapping(_Part):
    up_s: Period
    down_s: Period


class CloudFaults(_Part):
    """``down``: spans of seconds from the core's start. ``ack_lost``: taken, but not told."""

    down: tuple[tuple[Seconds, Seconds], ...] = ()
    flapping: Flapping | None = None
    ack_lost: Rate = 0.0

    @model_validator(mode="after")
    def _spans_run_forward(self) -> CloudFaults:
        for start, end in self.down:
            if end <= start:
                raise ValueError(f"down [{start:g}, {end:g}] ends before it starts")
        return self


class CoreFaults(_Part):
    kill_at_s: tuple[Period, ...] = ()


class FaultPlan(_Part):
    """``seed`` makes two runs over the same messages meet the same faults."""

    v: Literal[1] = 1
    seed: int = 0
    messages: tuple[MessageFaults, ...] = ()
    functions: tuple[FunctionFaults, ...] = ()
    cloud: CloudFaults = CloudFaults()
    core: CoreFaults = CoreFaults()


def read_plan(path: Path) -> FaultPlan:
    """The plan in a YAML or JSON file. Raises CoreError (exit 2) naming every wrong entry."""
    try:
        text = path.read_text(encoding="utf-8")
        if too_deep(text):
            raise CoreError(f"--fault-plan {path}: {TOO_DEEP}; flatten it", exit_code=INVALID)
        document: Any = YAML(typ="safe", pure=True).load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise CoreError(
            f"--fault-plan {path}: cannot be read: {error}", exit_code=INVALID
        ) from error
    except YAMLError as error:
        where = " ".join(str(error).split())
        raise CoreError(f"--fault-plan {path}: is not YAML: {where}", exit_code=INVALID) from error
    try:
        return FaultPlan.model_validate(document if document is not None else {})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']} (given: {e['input']!r})"
            for e in error.errors()
        )
        raise CoreError(
            f"--fault-plan {path}: {wrong}. The format is in docs/spec/fault-plan.md.",
            exit_code=INVALID,
        ) from error
