"""What every answer is: versioned, and open to keys of later versions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Unknown keys are kept: a later version may say more."""

    model_config = ConfigDict(extra="allow")


class Versioned(Answer):
    v: Literal[1] = Field(description="Of this object's form.")
