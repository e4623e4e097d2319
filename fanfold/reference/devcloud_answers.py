"""What the verbs of `fanfold devcloud` print as JSON."""

from __future__ import annotations

from pydantic import BaseModel, Field

from fanfold.reference.answer import Versioned


class DevcloudStatusAnswer(Versioned):
    running: bool
    url: str | None


class DevcloudStartAnswer(Versioned):
    url: str
    pid: int
    bootstrapped: bool = Field(description="Whether this call ran `cdk bootstrap`.")


class DevcloudStopAnswer(Versioned):
    url: str
    pid: int
    stopped: bool


class DevcloudEnvAnswer(Versioned):
    variables: dict[str, str] = Field(description="What points cdk, aws and boto3 at it.")


DEVCLOUD: dict[str, type[BaseModel]] = {
    "devcloud env": DevcloudEnvAnswer,
    "devcloud start": DevcloudStartAnswer,
    "devcloud status": DevcloudStatusAnswer,
    "devcloud stop": DevcloudStopAnswer,
}
